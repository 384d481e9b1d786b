/** The node at a glance: whether it follows the chain, what keeps it behind, and whom it is connected to. */

import { facts, make, type Row, show, table, type Tone } from "../dom.js";
import type { Peer, Status } from "../schema.js";
import { short, showCredits, showName, showSpan } from "../units.js";
import { type Context, Section } from "./section.js";

export class Overview extends Section {
  constructor(context: Context) {
    super(context, "node", context.trans.__("Node"));
    this.element.open = true;
  }

  protected async draw(): Promise<void> {
    const { status, requests } = this.context.node;
    if (status === null) return;
    const peers = await requests.get<readonly Peer[]>("peers");
    show(this.body, this.#facts(status), ...this.#findings(status), this.#peers(status, peers));
  }

  #facts(status: Status): HTMLElement {
    const { trans } = this.context;
    const { sandbox } = status;
    const address = make("span", "", short(status.address));
    address.title = status.address;
    const height = `${status.height} (${showName(status.sync)})`;
    return facts(trans.__("Node"), [
      [trans.__("address"), address],
      ...(status.is_banned ? ([[trans.__("standing"), trans.__("banned"), "bad"]] as const) : []),
      [trans.__("credits"), trans.__("%1 + %2 bonded", showCredits(status.balance), showCredits(status.bonded))],
      [trans.__("height"), height, status.sync === "halted" ? "bad" : ""],
      [trans.__("sandbox"), sandbox.engine ? `${sandbox.engine} ${sandbox.version}` : sandbox.problem, sandbox.engine ? "" : "bad"],
      [trans.__("jobs"), this.#works(status)],
      [trans.__("open jobs"), String(status.jobs_open)],
    ]);
  }

  #works(status: Status): string {
    const { trans } = this.context;
    if (!status.is_working) return trans.__("takes none");
    return status.no_jobs_now ? trans.__("takes none now: %1", status.no_jobs_now) : trans.__("takes some");
  }

  #findings(status: Status): HTMLElement[] {
    if (status.findings.length === 0) return [];
    const lines = status.findings.map(({ level, text, remedy }) => {
      const tone: Tone = level === "note" ? "dim" : "bad";
      return make("li", tone, remedy ? `${text}; ${remedy}` : text);
    });
    const list = make("ul", "lcp-findings", ...lines);
    list.setAttribute("aria-label", this.context.trans.__("What keeps the node behind"));
    return [list];
  }

  #peers(status: Status, peers: readonly Peer[]): HTMLElement {
    const { trans } = this.context;
    if (peers.length === 0) {
      return make("p", "dim", trans.__("No peers are connected: “lc-node peers” says why, “lc-node invite” brings some."));
    }
    const rows = peers.map((peer): Row => {
      const name = make("span", "lcp-name", short(peer.address || peer.endpoint));
      name.title = `${peer.address} ${peer.endpoint}`.trim();
      const latency = peer.latency_ms === null ? "–" : trans.__("%1 ms", peer.latency_ms);
      const connected = trans.__("connected for %1", showSpan((status.clock - peer.since) / 1000));
      return {
        cells: [name, String(peer.height), latency],
        below: peer.remedy
          ? `${peer.software}; ${peer.remedy}`
          : [peer.is_validator ? trans.__("validator") : "", connected].filter(Boolean).join(" · "),
        tone: peer.remedy ? "bad" : "dim",
      };
    });
    return table(trans.__("Peers"), [trans.__("node"), trans.__("height"), trans.__("latency")], rows, [1, 2]);
  }
}
