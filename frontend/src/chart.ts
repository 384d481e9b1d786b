/** Losses over time: a mark for each bid in its bidder's colour, and the best honest one as a step line. */

import uPlot from "uplot";
import type { Story } from "./state.js";

const HEIGHT = 200;
const MARK = 6;
/** Keeps the last label of the time axis whole. */
const ROOM_AT_THE_RIGHT = 30;
/** The labels of the time axis are whole seconds: in a shorter time some would be the same. */
const SECONDS_SHOWN = 10;
/** Readable on white and on black: ColorBrewer's Dark2 and Set2 between them. */
const COLOURS = ["#1b9e77", "#d95f02", "#8d85d6", "#e7298a", "#66a61e", "#c79500", "#a6761d", "#3b8bd0"];

export function colourOf(bidder: number): string {
  return COLOURS[bidder % COLOURS.length] ?? "#888";
}

export class Chart {
  readonly #story: Story;
  readonly #place: HTMLElement;
  readonly #sizes: ResizeObserver;
  #plot: uPlot | null = null;
  #isLogarithmic = false;
  /** The best honest loss at each bid; grown with the bids, made anew when somebody is refuted. */
  #best: number[] = [];
  #refuted: ReadonlySet<number>;

  constructor(story: Story, place: HTMLElement) {
    this.#story = story;
    this.#place = place;
    this.#refuted = story.refuted;
    // Called first when the place is on the page: before that it has neither a width nor a colour.
    this.#sizes = new ResizeObserver(() => {
      if (this.#plot === null) this.draw();
      else this.#plot.setSize({ width: this.#width(), height: HEIGHT });
    });
    this.#sizes.observe(place);
  }

  get isLogarithmic(): boolean {
    return this.#isLogarithmic;
  }

  /** A logarithmic scale shows no loss of zero or below. */
  get canBeLogarithmic(): boolean {
    return this.#story.losses.every((loss) => loss > 0);
  }

  set isLogarithmic(wished: boolean) {
    this.#isLogarithmic = wished && this.canBeLogarithmic;
    this.#close();
    this.draw();
  }

  /** Draw what the story has by now. */
  draw(): void {
    this.#grow();
    // While a theme is exchanged a place has no width; it is told when it has one again.
    if (this.#story.times.length === 0 || this.#place.clientWidth === 0) return;
    if (this.#plot === null) this.#plot = this.#open();
    else this.#plot.setData(this.#data());
  }

  /** Take other colours, once the theme has changed. */
  recolour(): void {
    requestAnimationFrame(() => {
      this.#close();
      this.draw();
    });
  }

  close(): void {
    this.#sizes.disconnect();
    this.#close();
  }

  #close(): void {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #width(): number {
    return Math.max(200, this.#place.clientWidth);
  }

  #data(): uPlot.AlignedData {
    return [this.#story.times, this.#story.losses, this.#best];
  }

  #grow(): void {
    const { losses, by, refuted } = this.#story;
    if (refuted !== this.#refuted) {
      this.#refuted = refuted;
      this.#best = [];
    }
    let best = this.#best.at(-1) ?? Number.POSITIVE_INFINITY;
    for (let at = this.#best.length; at < losses.length; at++) {
      const loss = losses[at] ?? Number.NaN;
      if (!refuted.has(by[at] ?? -1) && loss < best) best = loss;
      this.#best.push(Number.isFinite(best) ? best : loss);
    }
  }

  #open(): uPlot {
    const ink = getComputedStyle(this.#place).color;
    const faint = "rgba(128,128,128,.25)";
    const axis: uPlot.Axis = { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint, width: 1 } };
    const stepped = uPlot.paths.stepped?.({ align: 1 });
    const options: uPlot.Options = {
      width: this.#width(),
      height: HEIGHT,
      padding: [null, ROOM_AT_THE_RIGHT, null, null],
      legend: { show: false },
      cursor: { y: false },
      scales: {
        x: { range: (_, first, last) => [first, Math.max(last, first + SECONDS_SHOWN)] },
        y: { distr: this.#isLogarithmic ? 3 : 1 },
      },
      axes: [
        { ...axis, space: 80, values: (_, ticks) => ticks.map(showClock) },
        { ...axis, size: 64, values: (_, ticks) => ticks.map(showLoss) },
      ],
      series: [
        {},
        { paths: () => null, points: { show: false } },
        { stroke: ink, width: 1.5, points: { show: false }, ...(stepped ? { paths: stepped } : {}) },
      ],
      hooks: { draw: [(plot) => this.#mark(plot)] },
    };
    return new uPlot(options, this.#data(), this.#place);
  }

  /** Draw a mark for each bid, but one in each place: ten thousand bids cost no more than there are places. */
  #mark(plot: uPlot): void {
    const { times, losses, by, refuted } = this.#story;
    const { ctx, bbox } = plot;
    const size = MARK * devicePixelRatio;
    const columns = Math.ceil(bbox.width / size) + 1;
    const taken = new Uint8Array(columns * (Math.ceil(bbox.height / size) + 1));
    for (let at = times.length - 1; at >= 0; at--) {
      const x = plot.valToPos(times[at] ?? 0, "x", true);
      const y = plot.valToPos(losses[at] ?? 0, "y", true);
      const place = Math.floor((y - bbox.top) / size) * columns + Math.floor((x - bbox.left) / size);
      if (!(place >= 0 && place < taken.length) || taken[place] === 1) continue;
      taken[place] = 1;
      const bidder = by[at] ?? 0;
      if (refuted.has(bidder)) cross(ctx, x, y, size);
      else {
        ctx.fillStyle = colourOf(bidder);
        ctx.fillRect(x - size / 2, y - size / 2, size, size);
      }
    }
  }
}

function cross(ctx: CanvasRenderingContext2D, x: number, y: number, size: number): void {
  ctx.strokeStyle = "#d33";
  ctx.lineWidth = size / 3;
  ctx.beginPath();
  ctx.moveTo(x - size, y - size);
  ctx.lineTo(x + size, y + size);
  ctx.moveTo(x + size, y - size);
  ctx.lineTo(x - size, y + size);
  ctx.stroke();
}

/** Hours, minutes and seconds, as the tables write them. */
function showClock(seconds: number): string {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

function showLoss(loss: number): string {
  return String(Number(loss.toPrecision(4)));
}
