/** Which jobs the node takes: a form over its policy. What is being edited is not overwritten by news. */

import { button, checkbox, field, make } from "../dom.js";
import { list, TextField, Unreadable, wholeNumber } from "../form.js";
import type { Policy } from "../schema.js";
import { readBytes, readCredits, readSpan, showCredits, writeBytes, writeSpan } from "../units.js";
import { type Context, Section } from "./section.js";

export class PolicyForm extends Section {
  readonly #form = make("form", "lcp-form");
  readonly #work = checkbox(true);
  readonly #newcomers = checkbox(false);
  readonly #battery = checkbox(false);
  readonly #texts: ReturnType<typeof fields>;
  #policy: Policy | null = null;
  #isEdited = false;

  constructor(context: Context) {
    super(context, "policy", context.trans.__("Which jobs it takes"));
    const { trans } = context;
    this.#texts = fields(context);
    const texts = this.#texts;
    const save = make("button", "lcp-main", trans.__("Save"));
    const more = make("details", "lcp-more", make("summary", "", trans.__("More")));
    more.append(
      ...[texts.memory, texts.disk, texts.allow, texts.deny, texts.hours, texts.others].map(({ element }) => element),
      field(trans.__("Wait while on battery"), this.#battery).element,
      field(trans.__("Bid without a bond, for a stamp"), this.#newcomers).element,
    );
    this.#form.append(
      field(trans.__("Take jobs"), this.#work).element,
      ...[texts.bounty, texts.left, texts.trial, texts.atOnce, texts.image, texts.cpus, texts.gpus].map(({ element }) => element),
      more,
      make("div", "lcp-buttons", save, button(trans.__("Undo"), () => this.#undo())),
    );
    this.#form.noValidate = true;
    this.#form.setAttribute("aria-label", trans.__("Which jobs the node takes"));
    this.#form.addEventListener("input", () => {
      this.#isEdited = true;
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.act(() => this.#save());
    });
    this.body.append(this.#form);
  }

  protected async draw(): Promise<void> {
    const policy = await this.context.node.requests.get<Policy>("policy");
    if (!this.#isEdited) this.#fill(policy);
  }

  protected override fail(error: unknown): void {
    super.fail(error);
    if (error instanceof Unreadable) error.input.focus();
  }

  async #save(): Promise<string> {
    const { node, trans } = this.context;
    const kept = await node.requests.put<Policy>("policy", this.#read());
    this.#isEdited = false;
    this.#fill(kept);
    return trans.__("Saved: it holds now, and after a restart.");
  }

  #undo(): void {
    this.#isEdited = false;
    if (this.#policy !== null) this.#fill(this.#policy);
  }

  #fill(policy: Policy): void {
    this.#policy = policy;
    const texts = this.#texts;
    const { offered } = policy;
    this.#work.checked = policy.work;
    this.#newcomers.checked = policy.newcomers;
    this.#battery.checked = policy.pause_on_battery;
    texts.bounty.text = showCredits(policy.bounty_min).replaceAll(",", "");
    texts.left.text = writeSpan(policy.time_left_min_seconds);
    texts.trial.text = writeSpan(policy.trial_seconds_max);
    texts.atOnce.text = String(policy.jobs_at_once);
    texts.image.text = writeBytes(policy.image_bytes_max);
    texts.cpus.text = String(offered.millicpus / 1000);
    texts.gpus.text = String(offered.gpus);
    texts.memory.text = writeBytes(offered.memory_bytes);
    texts.disk.text = writeBytes(offered.disk_bytes);
    texts.allow.text = policy.allow.join(", ");
    texts.deny.text = policy.deny.join(", ");
    texts.hours.text = policy.hours.join(", ");
    texts.others.text = String(policy.others_percent_max);
  }

  /** @throws Unreadable */
  #read(): Policy {
    const texts = this.#texts;
    return {
      work: this.#work.checked,
      bounty_min: texts.bounty.read(),
      time_left_min_seconds: texts.left.read(),
      trial_seconds_max: texts.trial.read(),
      jobs_at_once: texts.atOnce.read(),
      image_bytes_max: texts.image.read(),
      offered: {
        millicpus: texts.cpus.read(),
        memory_bytes: texts.memory.read(),
        disk_bytes: texts.disk.read(),
        gpus: texts.gpus.read(),
      },
      newcomers: this.#newcomers.checked,
      allow: texts.allow.read(),
      deny: texts.deny.read(),
      hours: texts.hours.read(),
      pause_on_battery: this.#battery.checked,
      others_percent_max: texts.others.read(),
    };
  }
}

function fields({ trans }: Context) {
  const credits = trans.__("an amount of credits, as 5 or 0.5");
  const span = trans.__("a span in s, m, h or d, as 10m");
  const size = trans.__("a size in K, M, G or T, as 20G");
  return {
    bounty: new TextField(trans.__("Bounty at least, in credits"), readCredits, credits, "", { mode: "decimal" }),
    left: new TextField(trans.__("Time left at least"), readSpan, span),
    trial: new TextField(trans.__("Longest trial"), readSpan, span),
    atOnce: new TextField(trans.__("Jobs at once"), wholeNumber(1, 256), trans.__("a number from 1 to 256"), "", { mode: "numeric" }),
    image: new TextField(trans.__("Largest image"), readBytes, size),
    cpus: new TextField(trans.__("Processors for jobs"), readMillicpus, trans.__("a number of processors, as 2 or 0.5"), "", { mode: "decimal" }),
    gpus: new TextField(trans.__("GPUs for jobs"), wholeNumber(0, 64), trans.__("a number from 0 to 64"), "", { mode: "numeric" }),
    memory: new TextField(trans.__("Memory for jobs"), readBytes, size),
    disk: new TextField(trans.__("Disk for jobs"), readBytes, size),
    allow: new TextField(trans.__("Only from these addresses"), list, "", "", { placeholder: trans.__("everybody") }),
    deny: new TextField(trans.__("Never from these"), list, "", "", { placeholder: trans.__("nobody") }),
    hours: new TextField(trans.__("Hours"), list, "", "", { placeholder: trans.__("22:00-07:30; empty: at any time") }),
    others: new TextField(trans.__("Begin nothing while others use more than, in %"), wholeNumber(0, 100), trans.__("a number from 0 to 100"), "", { mode: "numeric" }),
  };
}

/** Thousandths of a processor of `0.5`; null if it is no number of them. */
export function readMillicpus(text: string): number | null {
  const millicpus = Math.round(Number(text) * 1000);
  return /^\d+(\.\d+)?$/.test(text.trim()) && millicpus >= 1 && millicpus <= 1_000_000 ? millicpus : null;
}
