/** Fields of which each knows how its text is read, and says what is wrong with it. */

import { field, textInput } from "./dom.js";

/** A text that cannot be read; the message says what may be written instead. */
export class Unreadable extends Error {
  constructor(
    message: string,
    readonly input: HTMLInputElement,
  ) {
    super(message);
  }
}

export class TextField<T> {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;

  constructor(
    readonly label: string,
    private readonly readText: (text: string) => T | null,
    private readonly wrong: string,
    value = "",
    options: { mode?: string; placeholder?: string; isRequired?: boolean } = {},
  ) {
    this.#input = textInput(value, options);
    this.element = field(label, this.#input, wrong).element;
    this.#input.addEventListener("input", () => this.#input.removeAttribute("aria-invalid"));
  }

  set text(text: string) {
    this.#input.value = text;
  }

  /** @throws Unreadable */
  read(): T {
    const value = this.readText(this.#input.value);
    if (value !== null) return value;
    this.#input.setAttribute("aria-invalid", "true");
    throw new Unreadable(`${this.label}: ${this.wrong}`, this.#input);
  }
}

/** A whole number within bounds; null if it is none. */
export function wholeNumber(least: number, most: number): (text: string) => number | null {
  return (text) => {
    const number = Number(text);
    return /^\d{1,15}$/.test(text.trim()) && number >= least && number <= most ? number : null;
  };
}

/** Words with commas between them. */
export function list(text: string): readonly string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);
}
