/** Elements that a keyboard reaches and a screen reader reads out. */

export type Tone = "" | "good" | "bad" | "dim";
export type Content = string | HTMLElement;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...content: readonly Content[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

export function button(text: string, act: () => void, name = text): HTMLButtonElement {
  const element = make("button", "", text);
  element.type = "button";
  if (name !== text) element.setAttribute("aria-label", name);
  element.addEventListener("click", act);
  return element;
}

/** A table of what there is and how much of it: a heading each row. */
export function facts(caption: string, rows: readonly (readonly [string, Content, Tone?])[]): HTMLTableElement {
  const body = make("tbody");
  for (const [name, value, tone] of rows) {
    const head = make("th", "", name);
    head.scope = "row";
    body.append(make("tr", "", head, make("td", tone, value)));
  }
  const table = make("table", "lcp-facts", body);
  table.setAttribute("aria-label", caption);
  return table;
}

/** A row of a table: its cells, the first of which is its heading, and a smaller line below all of them. */
export interface Row {
  readonly cells: readonly Content[];
  readonly below?: string;
  readonly tone?: Tone;
}

/** A table with a heading each column and row; `numbers` are the columns that are aligned as such. */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly Row[],
  numbers: readonly number[] = [],
): HTMLElement {
  const heads = columns.map((column, at) => {
    const head = make("th", numbers.includes(at) ? "number" : "", column);
    head.scope = "col";
    return head;
  });
  const bodies = rows.map((row) => body(row, columns.length, numbers));
  return make(
    "div",
    "lcp-scroll",
    make("table", "", make("caption", "", caption), make("thead", "", make("tr", "", ...heads)), ...bodies),
  );
}

function body({ cells, below, tone }: Row, columns: number, numbers: readonly number[]): HTMLTableSectionElement {
  const line = cells.map((cell, at) => {
    const element = make(at === 0 ? "th" : "td", numbers.includes(at) ? "number" : "", cell);
    if (at === 0) element.setAttribute("scope", "row");
    return element;
  });
  const made = make("tbody", "", make("tr", "", ...line));
  if (below) {
    const details = make("td", `lcp-below ${tone ?? "dim"}`, below);
    details.colSpan = columns;
    made.append(make("tr", "", details));
  }
  return made;
}

export interface Field {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement | HTMLSelectElement;
}

/** A labelled field; `hint` says what may be written there. */
export function field(label: string, input: HTMLInputElement | HTMLSelectElement, hint = ""): Field {
  const element = make("label", input.type === "checkbox" ? "lcp-check" : "lcp-field");
  const name = make("span", "", label);
  if (input.type === "checkbox") element.append(input, name);
  else element.append(name, input);
  if (hint) input.title = hint;
  return { element, input };
}

export function textInput(value: string, options: { mode?: string; placeholder?: string; isRequired?: boolean } = {}): HTMLInputElement {
  const input = make("input");
  input.value = value;
  input.autocomplete = "off";
  input.spellcheck = false;
  input.inputMode = options.mode ?? "text";
  input.placeholder = options.placeholder ?? "";
  input.required = options.isRequired ?? false;
  return input;
}

export function checkbox(isOn: boolean): HTMLInputElement {
  const input = make("input");
  input.type = "checkbox";
  input.checked = isOn;
  return input;
}

export function choice(options: readonly (readonly [value: string, text: string])[], chosen: string): HTMLSelectElement {
  const select = make("select");
  for (const [value, text] of options) {
    const option = make("option", "", text);
    option.value = value;
    option.selected = value === chosen;
    select.append(option);
  }
  return select;
}

/** Replace what is shown, without moving the focus away from the same button in the new content. */
export function show(place: HTMLElement, ...content: readonly Content[]): void {
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.getAttribute("data-key");
  place.replaceChildren(...content);
  if (key) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus();
}
