/** All requests of the panel: to the node's API behind jupyter-server, and to nobody else. */

import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";

const ROOT = "learningchain/api";

/** Who must act: whoever installed Jupyter, started it, or runs the node; or the one who asked. */
export type Fault = "no-extension" | "no-server" | "no-node" | "refused";

/** Why there is no answer, in a sentence for people. */
export class Refusal extends Error {
  constructor(
    readonly fault: Fault,
    message: string,
  ) {
    super(message);
  }
}

export class Requests {
  readonly #settings = ServerConnection.makeSettings();
  readonly #trans: TranslationBundle;

  constructor(trans: TranslationBundle) {
    this.#trans = trans;
  }

  get<T>(path: string, query: Readonly<Record<string, string | readonly string[]>> = {}): Promise<T> {
    const asked = new URLSearchParams();
    for (const [name, values] of Object.entries(query)) {
      for (const value of [values].flat()) asked.append(name, value);
    }
    return this.#ask<T>("GET", asked.size > 0 ? `${path}?${asked}` : path);
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>("PUT", path, body);
  }

  post<T>(path: string, body: unknown = {}): Promise<T> {
    return this.#ask<T>("POST", path, body);
  }

  /** Open a WebSocket; its first message comes as soon as the server has looked for the node. */
  open(path: string): WebSocket {
    const { appendToken, token, wsUrl } = this.#settings;
    const url = URLExt.join(wsUrl, ROOT, path);
    const sign = path.includes("?") ? "&" : "?";
    return new this.#settings.WebSocket(appendToken ? `${url}${sign}token=${encodeURIComponent(token)}` : url);
  }

  /** @throws Refusal */
  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const url = URLExt.join(this.#settings.baseUrl, ROOT, path);
    // The server forbids caching. Jupyter's own way, a number behind the question mark, would be no field of the call.
    const init: RequestInit = { method, cache: "no-cache" };
    if (body !== undefined) init.body = JSON.stringify(body);
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.#settings);
    } catch {
      throw this.noServer();
    }
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok) return answer as T;
    throw this.#refusal(response, answer);
  }

  noServer(): Refusal {
    return new Refusal("no-server", this.#trans.__("Jupyter's server does not answer; start it again."));
  }

  #refusal(response: Response, answer: unknown): Refusal {
    const { code, message } = (answer ?? {}) as { code?: string; message?: string };
    if (code === undefined) {
      if (response.status === 404) return new Refusal("no-extension", this.#howToInstall());
      return new Refusal("refused", message ?? `${response.status} ${response.statusText}`);
    }
    const isGone = response.status === 503 && code !== "Overloaded";
    return new Refusal(isGone ? "no-node" : "refused", message ?? code);
  }

  #howToInstall(): string {
    return this.#trans.__(
      "Jupyter's server has not loaded the extension lc_jupyter.server. Install it in the environment that runs Jupyter: pip install 'learningchain[lab]', then start Jupyter again; “jupyter server extension list” should show it.",
    );
  }
}
