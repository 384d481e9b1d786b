/** What the panel knows of the node at any time: its status, or why there is none. */

import { type ISignal, Signal } from "@lumino/signaling";
import { Listening } from "./listening.js";
import { Refusal, type Requests } from "./requests.js";
import type { Status, Told } from "./schema.js";

/** However many events come, the node is asked once in this time. */
const REST_MS = 1000;

export class NodeModel {
  readonly #changed = new Signal<this, void>(this);
  #status: Status | null = null;
  #problem: Refusal | null = null;
  #listening: Listening<Told> | null = null;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  #isStale = false;

  constructor(readonly requests: Requests) {}

  /** Something is new: the status, a job, a balance, or whether there is a node at all. */
  get changed(): ISignal<this, void> {
    return this.#changed;
  }

  get status(): Status | null {
    return this.#status;
  }

  get problem(): Refusal | null {
    return this.#problem;
  }

  /** Ask for the status, and follow the events from then on; where there is no extension, it is asked again by hand. */
  async connect(): Promise<void> {
    await this.#ask();
    if (this.#problem?.fault === "no-extension" || this.#listening !== null) return;
    this.#listening = new Listening<Told>(
      this.requests,
      "events",
      (told) => this.#hear(told),
      () => this.#fail(this.requests.noServer()),
    );
  }

  /** Ask anew soon; a node that is known to be gone is left alone until the server says that it is back. */
  refresh(): void {
    if (this.#problem !== null) return;
    this.#isStale = true;
    if (this.#rest !== undefined || this.#isAsking) return;
    void this.#ask();
  }

  dispose(): void {
    clearTimeout(this.#rest);
    this.#listening?.close();
    Signal.clearData(this);
  }

  #hear(told: Told): void {
    if (told.reachable === false) this.#fail(new Refusal("no-node", told.problem ?? ""));
    else {
      if (told.reachable) this.#problem = null;
      this.refresh();
    }
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    this.#isStale = false;
    try {
      this.#status = await this.requests.get<Status>("status");
      this.#problem = null;
      this.#changed.emit();
    } catch (error) {
      this.#fail(error as Refusal);
    }
    this.#isAsking = false;
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      if (this.#isStale) this.refresh();
    }, REST_MS);
  }

  #fail(problem: Refusal): void {
    this.#status = null;
    this.#problem = problem;
    this.#changed.emit();
  }
}
