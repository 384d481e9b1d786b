/** One job on the screen: header, chart, leaderboard, verdicts, events, and what may be done about it. */

import { Chart, colourOf } from "./chart.js";
import type { Action, Delta, Row, Snapshot, Tone } from "./state.js";
import { Story } from "./state.js";

const LABELS: Record<Action, string> = { top_up: "Top up", cancel: "Cancel", pull: "Pull" };
const LEADERBOARD = ["rank", "node", "loss", "standing", "time", "opened"];
const VERDICTS = ["verifier", "verdict", "found", "of"];

/** What a view asks of whoever feeds it; the answer comes as a message. */
export type Ask = (action: Action, amount: string) => void;

/** Says a text in the reader's language. */
export type Translate = (text: string) => string;

export class View {
  readonly element = document.createElement("section");
  readonly #story: Story;
  readonly #ask: Ask;
  readonly #translate: Translate;
  readonly #chart: Chart;
  readonly #title = make("h4");
  readonly #state = make("p");
  readonly #left = make("span", "lcw-left");
  readonly #outcome = make("p");
  readonly #empty = make("p", "dim");
  readonly #scale = document.createElement("button");
  readonly #leaderboard: HTMLElement;
  readonly #verdicts: HTMLElement;
  readonly #events = make("ol");
  readonly #actions = make("div", "lcw-actions");
  /** What came of an action; the next event leaves it there. */
  readonly #answer = make("p");
  readonly #latest = make("p");
  readonly #clock: ReturnType<typeof setInterval>;
  readonly #theme: MutationObserver;

  constructor(snapshot: Snapshot, ask: Ask, translate: Translate = (text) => text) {
    this.#story = new Story(snapshot);
    this.#ask = ask;
    this.#translate = translate;
    this.#leaderboard = table(translate("Bids"), LEADERBOARD.map(translate));
    this.#verdicts = table(translate("Verdicts"), VERDICTS.map(translate));
    const place = make("div", "lcw-chart");
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", translate("Announced losses over time; the table of bids says the same"));
    this.#chart = new Chart(this.#story, place);
    this.#scale.type = "button";
    this.#scale.addEventListener("click", () => {
      this.#chart.isLogarithmic = !this.#chart.isLogarithmic;
      this.#drawScale();
    });
    announce(this.#answer, translate("Answer"));
    announce(this.#latest, translate("Latest event"));
    this.element.className = "lcw";
    this.element.setAttribute("aria-label", `${translate("Job")} ${snapshot.head.title}`);
    const state = make("div", "lcw-state");
    state.append(this.#state, this.#left);
    this.element.append(
      this.#title,
      state,
      this.#outcome,
      this.#actions,
      this.#answer,
      this.#empty,
      place,
      this.#scale,
      this.#leaderboard,
      this.#verdicts,
      folded(translate("Events"), this.#events),
      this.#latest,
    );
    this.#clock = setInterval(() => this.#drawLeft(), 1000);
    this.#theme = new MutationObserver(() => this.#chart.recolour());
    this.#theme.observe(document.body, { attributeFilter: ["data-jp-theme-light", "class"] });
    this.#draw(snapshot);
  }

  /** Show what is new. */
  apply(delta: Delta): void {
    this.#story.apply(delta);
    this.#draw(delta);
  }

  /** Say what came of an action. */
  say(text: string, tone: Tone): void {
    this.#answer.textContent = text;
    this.#answer.className = tone;
  }

  close(): void {
    clearInterval(this.#clock);
    this.#theme.disconnect();
    this.#chart.close();
  }

  #draw(delta: Delta): void {
    if (delta.head) this.#drawHead();
    if (delta.bids || delta.refuted) {
      this.#chart.draw();
      this.#drawScale();
    }
    if (delta.leaderboard) fill(this.#leaderboard, this.#story.leaderboard, this.#story.bidders);
    if (delta.verdicts) fill(this.#verdicts, this.#story.verdicts, []);
    if (delta.events) this.#drawEvents();
  }

  #drawHead(): void {
    const { head } = this.#story;
    this.#title.textContent = `${head.title} · ${head.job.slice(0, 12)}`;
    this.#state.textContent = head.state;
    this.#outcome.textContent = head.outcome;
    this.#outcome.className = head.tone;
    this.#outcome.hidden = head.outcome === "";
    this.#drawLeft();
    const wished = head.actions.join();
    if (this.#actions.dataset["shown"] !== wished) {
      this.#actions.dataset["shown"] = wished;
      this.#actions.replaceChildren(...head.actions.map((action) => this.#button(action)));
    }
  }

  #drawLeft(): void {
    const { head } = this.#story;
    const seconds = Math.max(0, Math.round((head.due - Date.now()) / 1000));
    this.#left.textContent = head.isOver ? "" : `${showSeconds(seconds)} ${this.#translate("left in this phase")}`;
  }

  #drawScale(): void {
    const hasBids = this.#story.times.length > 0;
    this.#empty.textContent = hasBids ? "" : this.#translate("No bids yet.");
    this.#empty.hidden = hasBids;
    this.#scale.hidden = !hasBids || !this.#chart.canBeLogarithmic;
    this.#scale.textContent = this.#translate(this.#chart.isLogarithmic ? "Linear scale" : "Logarithmic scale");
  }

  #drawEvents(): void {
    const { events } = this.#story;
    this.#events.replaceChildren(
      ...events.toReversed().map(({ time, text }) => {
        const line = make("li");
        line.append(make("time", "dim", time), ` ${text}`);
        return line;
      }),
    );
    this.#latest.textContent = events.at(-1)?.text ?? "";
  }

  #button(action: Action): HTMLElement {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = this.#translate(LABELS[action]);
    if (action !== "top_up") {
      button.addEventListener("click", () => this.#ask(action, ""));
      return button;
    }
    const form = document.createElement("form");
    const amount = document.createElement("input");
    amount.inputMode = "decimal";
    amount.size = 6;
    amount.placeholder = this.#translate("credits");
    amount.required = true;
    amount.setAttribute("aria-label", this.#translate("Credits to add to the bounty"));
    button.type = "submit";
    form.append(amount, button);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask(action, amount.value);
      amount.value = "";
    });
    return form;
  }
}

function make(tag: string, className = "", text = ""): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Let what an element comes to say be read out. */
function announce(element: HTMLElement, name: string): void {
  element.setAttribute("role", "status");
  element.setAttribute("aria-label", name);
}

function table(caption: string, columns: readonly string[]): HTMLElement {
  const scroll = make("div", "lcw-scroll");
  const element = make("table");
  const row = make("tr");
  for (const column of columns) {
    const head = make("th", "", column);
    head.setAttribute("scope", "col");
    row.append(head);
  }
  const head = make("thead");
  head.append(row);
  element.append(make("caption", "", caption), head, make("tbody"));
  scroll.append(element);
  scroll.hidden = true;
  return scroll;
}

function fill(scroll: HTMLElement, rows: readonly Row[], bidders: readonly string[]): void {
  scroll.hidden = rows.length === 0;
  scroll.querySelector("tbody")?.replaceChildren(
    ...rows.map((row) => {
      const line = make("tr");
      line.append(...row.map(([text, tone]) => make("td", tone, text)));
      const bidder = bidders.findIndex((name) => row[1]?.[0].startsWith(name));
      if (bidder >= 0) line.style.setProperty("--lcw-colour", colourOf(bidder));
      return line;
    }),
  );
}

function folded(summary: string, content: HTMLElement): HTMLElement {
  const details = make("details");
  details.append(make("summary", "", summary), content);
  return details;
}

function showSeconds(seconds: number): string {
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${seconds} s`;
}
