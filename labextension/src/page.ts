/** A job's page: the same view as the notebook's widget, fed by the server instead of a kernel. */

import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";
import type { Action, Delta, Snapshot } from "../../frontend/src/state.js";
import { View } from "../../frontend/src/view.js";
import { make } from "./dom.js";
import { icon } from "./icon.js";
import { Listening } from "./listening.js";
import type { Requests } from "./requests.js";
import { readCredits } from "./units.js";

interface ViewTold {
  readonly kind?: "anew" | "delta";
  readonly snapshot?: Snapshot;
  readonly delta?: Delta;
  readonly problem?: string;
}

export class JobPage extends Widget {
  readonly #listening: Listening<ViewTold>;
  readonly #problem = make("p", "lcp-problem");
  #view: View | null = null;

  constructor(
    readonly job: string,
    readonly name: string,
    private readonly requests: Requests,
    private readonly trans: TranslationBundle,
  ) {
    super();
    this.id = `learningchain-job-${job}`;
    this.addClass("lcp-page");
    this.title.label = name || job.slice(0, 8);
    this.title.caption = trans.__("LearningChain job %1", job);
    this.title.icon = icon;
    this.title.closable = true;
    this.#problem.setAttribute("role", "alert");
    this.#warn(trans.__("Asking the node …"));
    this.node.append(this.#problem);
    this.#listening = new Listening<ViewTold>(
      requests,
      `view?job=${job}`,
      (told) => this.#hear(told),
      () => this.#warn(requests.noServer().message),
    );
  }

  override dispose(): void {
    this.#listening.close();
    this.#view?.close();
    super.dispose();
  }

  #hear(told: ViewTold): void {
    this.#warn(told.problem ?? "");
    if (told.snapshot) this.#open(told.snapshot);
    if (told.delta) this.#view?.apply(told.delta);
  }

  #open(snapshot: Snapshot): void {
    const old = this.#view;
    this.#view = new View(
      snapshot,
      (action, amount) => void this.#do(action, amount),
      (text) => this.trans.__(text),
    );
    if (old === null) this.node.append(this.#view.element);
    else old.element.replaceWith(this.#view.element);
    old?.close();
  }

  async #do(action: Action, amount: string): Promise<void> {
    try {
      this.#view?.say(await this.#ask(action, amount), "good");
    } catch (error) {
      this.#view?.say((error as Error).message, "bad");
    }
  }

  async #ask(action: Action, amount: string): Promise<string> {
    const { requests, trans } = this;
    const path = `jobs/${this.job}`;
    if (action === "cancel") {
      await requests.post(`${path}/cancel`);
      return trans.__("Cancelled; its credits are back.");
    }
    if (action === "pull") {
      const model = await requests.post<{ path: string }>(`${path}/model`);
      return trans.__("The model is in %1; in a notebook, %lc_pull %2 loads it.", model.path, this.job.slice(0, 8));
    }
    const micro = readCredits(amount);
    if (micro === null || micro === 0) throw new Error(trans.__("“%1” is no amount of credits: write 5, or 0.5.", amount));
    await requests.post(`${path}/top-up`, { amount: micro });
    return trans.__("Added %1 credits.", amount.trim());
  }

  #warn(text: string): void {
    this.#problem.textContent = text;
    this.#problem.hidden = text === "";
  }
}
