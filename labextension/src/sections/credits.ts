/** The own credits: how many, over time, and what each was for. */

import { BalanceChart } from "../balance.js";
import { button, facts, make, type Row, show, table } from "../dom.js";
import type { CreditChange, Wallet } from "../schema.js";
import { showCredits, showMoment, showName, showSigned } from "../units.js";
import { type Context, Section } from "./section.js";

export class Credits extends Section {
  readonly #chart: BalanceChart;
  readonly #facts = make("div");
  readonly #tables = make("div");
  #shown = "";

  constructor(context: Context) {
    super(context, "credits", context.trans.__("Credits"));
    this.#chart = new BalanceChart(context.trans.__("The own credits over time; the table of changes says the same"));
    this.body.append(this.#facts, this.#chart.element, this.#tables);
  }

  protected async draw(): Promise<void> {
    const { node, preferences } = this.context;
    const wallet = await node.requests.get<Wallet>("wallet", { changes_max: String(preferences.changesMax) });
    const text = JSON.stringify(wallet);
    if (text === this.#shown) return;
    this.#shown = text;
    show(this.#facts, this.#owned(wallet));
    this.#chart.show(wallet, node.status?.clock ?? Date.now());
    show(this.#tables, ...this.#told(wallet.changes));
  }

  #owned(wallet: Wallet): HTMLElement {
    const { trans } = this.context;
    return facts(trans.__("Credits"), [
      [trans.__("balance"), showCredits(wallet.balance)],
      [trans.__("bonded"), showCredits(wallet.bonded)],
      [trans.__("unbonding"), showCredits(wallet.unbonding)],
      [trans.__("in jobs and bids"), showCredits(wallet.escrowed)],
    ]);
  }

  #told(changes: readonly CreditChange[]): HTMLElement[] {
    const { trans } = this.context;
    if (changes.length === 0) {
      return [make("p", "dim", trans.__("No changes yet: credits are earned by training and evaluating for others."))];
    }
    const latest = changes.map((change) => ({
      cells: [showMoment(change.time), this.#signed(change.amount), this.#cause(change)],
    }));
    return [
      table(trans.__("What for"), [trans.__("cause"), trans.__("times"), trans.__("credits")], this.#sums(changes), [1, 2]),
      table(trans.__("Latest changes"), [trans.__("time"), trans.__("credits"), trans.__("what for")], latest, [1]),
    ];
  }

  /** A row for each cause, the most earned first. */
  #sums(changes: readonly CreditChange[]): Row[] {
    const sums = new Map<string, { times: number; amount: number }>();
    for (const { code, amount } of changes) {
      const sum = sums.get(code) ?? { times: 0, amount: 0 };
      sums.set(code, { times: sum.times + 1, amount: sum.amount + amount });
    }
    return [...sums]
      .sort(([, one], [, other]) => other.amount - one.amount)
      .map(([code, { times, amount }]) => ({ cells: [showName(code), String(times), this.#signed(amount)] }));
  }

  #signed(amount: number): HTMLElement {
    return make("span", amount > 0 ? "good" : "", showSigned(amount));
  }

  #cause(change: CreditChange): HTMLElement {
    const { job } = change;
    const text = make("span", "", change.text || showName(change.code));
    if (job === null) return text;
    const id = job.slice(0, 8);
    const open = button(id, () => this.context.openJob(job, id), this.context.trans.__("Open job %1", id));
    open.classList.add("lcp-link");
    open.dataset["key"] = `${change.height}-${change.code}-${job}`;
    return make("span", "", text, " · ", open);
  }
}
