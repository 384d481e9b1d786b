/** The own credits over time, as the changes that led to the balance of now tell it. */

import uPlot from "uplot";
import type { Wallet } from "./schema.js";

const HEIGHT = 120;
const MICRO = 1_000_000;

export class BalanceChart {
  readonly element = document.createElement("div");
  readonly #sizes: ResizeObserver;
  readonly #theme: MutationObserver;
  #plot: uPlot | null = null;
  #data: uPlot.AlignedData = [[], []];

  constructor(label: string) {
    this.element.className = "lcp-balance";
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.#sizes = new ResizeObserver(() => this.#draw());
    this.#sizes.observe(this.element);
    this.#theme = new MutationObserver(() => this.#open());
    this.#theme.observe(document.body, { attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  }

  /** Draw a wallet; nothing if nothing has changed yet. */
  show(wallet: Wallet, now: number): void {
    this.#data = course(wallet, now);
    this.element.hidden = wallet.changes.length === 0;
    this.#draw();
  }

  close(): void {
    this.#sizes.disconnect();
    this.#theme.disconnect();
    this.#plot?.destroy();
  }

  #draw(): void {
    if (this.element.clientWidth === 0 || this.element.hidden) return;
    if (this.#plot === null) this.#open();
    else {
      this.#plot.setSize({ width: this.element.clientWidth, height: HEIGHT });
      this.#plot.setData(this.#data);
    }
  }

  #open(): void {
    this.#plot?.destroy();
    const ink = getComputedStyle(this.element).color;
    const faint = "rgba(128,128,128,.25)";
    const axis: uPlot.Axis = { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint, width: 1 } };
    const stepped = uPlot.paths.stepped?.({ align: 1 });
    const options: uPlot.Options = {
      width: this.element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      axes: [
        { ...axis, space: 90, values: (_, ticks) => ticks.map((tick) => new Date(tick * 1000).toTimeString().slice(0, 8)) },
        { ...axis, size: 60, values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en", { maximumFractionDigits: 3 })) },
      ],
      series: [{}, { stroke: ink, width: 1.5, points: { show: false }, ...(stepped ? { paths: stepped } : {}) }],
    };
    this.#plot = new uPlot(options, this.#data, this.element);
  }
}

/** Walk back from the balance of now, one change after the other. */
function course(wallet: Wallet, now: number): uPlot.AlignedData {
  const times = [now / 1000];
  const balances = [wallet.balance / MICRO];
  let balance = wallet.balance;
  for (const { time, amount } of wallet.changes) {
    // Several changes of one block are one step.
    if (times.at(-1) !== time / 1000) {
      times.push(time / 1000);
      balances.push(balance / MICRO);
    }
    balance -= amount;
  }
  const first = wallet.changes.at(-1);
  if (first !== undefined) {
    times.push(first.time / 1000 - 1);
    balances.push(balance / MICRO);
  }
  return [times.reverse(), balances.reverse()];
}
