/** The job widget of a notebook: anywidget's way in (https://anywidget.dev, AFM). */

import uplotStyle from "uplot/dist/uPlot.min.css";
import type { Action, Delta, Snapshot, Tone } from "./state.js";
import style from "./style.css";
import { View } from "./view.js";

/** What of a widget's model is used here. */
interface Model {
  get(name: "snapshot"): Snapshot;
  on(event: "msg:custom", hear: (message: Message) => void): void;
  off(event: "msg:custom", hear: (message: Message) => void): void;
  send(message: { do: Action; amount: string }): void;
}

type Message =
  | { readonly kind: "delta"; readonly delta: Delta }
  | { readonly kind: "anew"; readonly snapshot: Snapshot }
  | { readonly kind: "said"; readonly text: string; readonly tone: Tone };

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const sheet = document.createElement("style");
  sheet.textContent = uplotStyle + style;
  const open = (snapshot: Snapshot): View =>
    new View(snapshot, (action, amount) => model.send({ do: action, amount }));
  let view = open(model.get("snapshot"));
  const hear = (message: Message): void => {
    if (message.kind === "delta") view.apply(message.delta);
    else if (message.kind === "said") view.say(message.text, message.tone);
    else {
      const old = view;
      view = open(message.snapshot);
      old.element.replaceWith(view.element);
      old.close();
    }
  };
  model.on("msg:custom", hear);
  el.append(sheet, view.element);
  return () => {
    model.off("msg:custom", hear);
    view.close();
  };
}

export default { render };
