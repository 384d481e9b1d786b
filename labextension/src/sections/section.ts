/** A part of the panel that can be folded away; it asks the node only while it is unfolded. */

import type { TranslationBundle } from "@jupyterlab/translation";
import { make, type Tone } from "../dom.js";
import type { NodeModel } from "../node.js";
import type { Refusal } from "../requests.js";
import type { Preferences } from "../preferences.js";

/** What every section works with. */
export interface Context {
  readonly node: NodeModel;
  readonly trans: TranslationBundle;
  readonly preferences: Preferences;
  /** Show a job's page. */
  openJob(job: string, title: string): void;
  /** Say what came of something; it is read out. */
  say(text: string, tone: Tone): void;
}

export abstract class Section {
  readonly element = make("details", "lcp-section");
  protected readonly body = make("div", "lcp-body");
  #isAsking = false;
  #isStale = false;

  protected constructor(
    protected readonly context: Context,
    readonly name: string,
    title: string,
  ) {
    const summary = make("summary", "", title);
    this.element.append(summary, this.body);
    this.element.dataset["section"] = name;
    this.body.setAttribute("role", "region");
    this.body.setAttribute("aria-label", title);
  }

  get isOpen(): boolean {
    return this.element.open;
  }

  /** Unfold, and move the focus there. */
  reveal(): void {
    this.element.open = true;
    const first = this.body.querySelector<HTMLElement>("input, select, button") ?? this.element.querySelector("summary");
    first?.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Bring what is shown up to date; what is asked for meanwhile is asked once afterwards. */
  async update(): Promise<void> {
    this.#isStale = this.#isAsking;
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      await this.draw();
    } catch (error) {
      this.fail(error);
    }
    this.#isAsking = false;
    if (this.#isStale) await this.update();
  }

  /** Ask the node, and show the answer. */
  protected abstract draw(): Promise<void>;

  /** Do what a button asks for, and say what came of it. */
  protected async act(what: () => Promise<string>): Promise<void> {
    try {
      this.context.say(await what(), "good");
    } catch (error) {
      this.fail(error);
    }
    this.context.node.refresh();
    await this.update();
  }

  protected fail(error: unknown): void {
    const { fault, message } = error as Refusal;
    // Whether there is a node at all, the panel says for all sections.
    if (fault === "refused" || fault === undefined) this.context.say(message, "bad");
  }
}
