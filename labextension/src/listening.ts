/** A WebSocket that is opened again when it was closed, until nobody listens any more. */

import type { Requests } from "./requests.js";

const AGAIN_MS = 3000;

export class Listening<T> {
  #socket: WebSocket | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(
    private readonly requests: Requests,
    private readonly path: string,
    private readonly hear: (told: T) => void,
    private readonly lost: () => void,
  ) {
    this.#open();
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#again);
    this.#socket?.close();
  }

  #open(): void {
    const socket = this.requests.open(this.path);
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (!this.#isOver) this.hear(JSON.parse(String(data)) as T);
    };
    socket.onclose = () => {
      if (this.#isOver) return;
      this.lost();
      this.#again = setTimeout(() => this.#open(), AGAIN_MS);
    };
  }
}
