/** The side panel: sections one below the other, and above them what is wrong. */

import type { IStateDB } from "@jupyterlab/statedb";
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { button, make, type Tone } from "./dom.js";
import { icon } from "./icon.js";
import type { NodeModel } from "./node.js";
import type { Context, Section } from "./sections/section.js";

/** What is no event (blocks, loads, how far a run is) is looked at this often while it is seen. */
const LOOK_MS = 5000;
const OPENED = "learningchain:sections";

export class Panel extends Widget {
  readonly #context: Context;
  readonly #sections: readonly Section[];
  readonly #states: IStateDB | null;
  readonly #problem = make("div", "lcp-problem");
  readonly #latest = make("p", "lcp-latest");
  #looking: ReturnType<typeof setInterval> | undefined;

  constructor(context: Omit<Context, "say">, build: (context: Context) => readonly Section[], states: IStateDB | null) {
    super();
    this.id = "learningchain-panel";
    this.addClass("lcp");
    this.title.icon = icon;
    this.title.caption = "LearningChain";
    this.#context = { ...context, say: (text, tone) => this.say(text, tone) };
    this.#sections = build(this.#context);
    this.#states = states;
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", "LearningChain");
    this.#problem.setAttribute("role", "alert");
    this.#latest.setAttribute("role", "status");
    const head = make("h2", "", "LearningChain");
    this.node.append(head, this.#problem, this.#latest, ...this.#sections.map((section) => section.element));
    for (const section of this.#sections) section.element.addEventListener("toggle", () => this.#onToggle(section));
    context.node.changed.connect(this.#draw, this);
    void this.#restore();
    this.#draw(context.node);
  }

  /** Say what came of something. */
  say(text: string, tone: Tone): void {
    this.#latest.textContent = text;
    this.#latest.className = `lcp-latest ${tone}`;
  }

  /** Unfold a section and move the focus there. */
  reveal(name: string): void {
    this.#sections.find((section) => section.name === name)?.reveal();
  }

  override dispose(): void {
    clearInterval(this.#looking);
    this.#context.node.changed.disconnect(this.#draw, this);
    super.dispose();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.#watch();
  }

  protected override onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) this.#watch();
  }

  #watch(): void {
    this.#update();
    this.#looking ??= setInterval(() => {
      if (document.visibilityState === "visible") this.#context.node.refresh();
    }, LOOK_MS);
  }

  #draw(node: NodeModel): void {
    const { problem } = node;
    this.toggleClass("lcp-gone", problem !== null);
    this.#problem.hidden = problem === null;
    if (problem !== null) {
      const { trans } = this.#context;
      const heads = {
        "no-extension": trans.__("The server extension is missing"),
        "no-server": trans.__("Jupyter's server is gone"),
        "no-node": trans.__("No node"),
        refused: trans.__("The node refuses"),
      };
      const again = button(trans.__("Try again"), () => void node.connect());
      this.#problem.replaceChildren(make("strong", "", heads[problem.fault]), make("p", "", problem.message), again);
    }
    this.#update();
  }

  #update(): void {
    if (!this.isVisible || this.#context.node.status === null) return;
    for (const section of this.#sections) if (section.isOpen) void section.update();
  }

  #onToggle(section: Section): void {
    if (section.isOpen) this.#update();
    void this.#states?.save(OPENED, this.#sections.filter(({ isOpen }) => isOpen).map(({ name }) => name));
  }

  async #restore(): Promise<void> {
    const opened = await this.#states?.fetch(OPENED);
    if (!Array.isArray(opened)) return;
    for (const section of this.#sections) section.element.open = opened.includes(section.name);
  }
}
