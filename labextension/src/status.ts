/** The own credits in the status bar; pressed, it opens the panel. */

import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";
import { button } from "./dom.js";
import type { NodeModel } from "./node.js";
import { showCredits } from "./units.js";

export class CreditsItem extends Widget {
  readonly #button: HTMLButtonElement;

  constructor(
    private readonly learner: NodeModel,
    private readonly trans: TranslationBundle,
    open: () => void,
  ) {
    super();
    this.addClass("lcp-credits");
    this.#button = button("", open);
    this.node.append(this.#button);
    learner.changed.connect(this.#draw, this);
    this.#draw();
  }

  override dispose(): void {
    this.learner.changed.disconnect(this.#draw, this);
    super.dispose();
  }

  #draw(): void {
    const { status } = this.learner;
    const { trans } = this;
    const text = status === null ? trans.__("no node") : trans.__("%1 credits", showCredits(status.balance));
    this.#button.textContent = text;
    this.#button.title = trans.__("LearningChain: %1; open the panel", text);
    this.#button.setAttribute("aria-label", this.#button.title);
  }
}
