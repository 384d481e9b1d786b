/** What the kernel tells a view of one job: everything once, then only what is new. */

export interface Head {
  readonly job: string;
  readonly title: string;
  readonly phase: string;
  /** A sentence: what stands at stake, and what this node does. */
  readonly state: string;
  readonly isOver: boolean;
  /** Unix milliseconds: the end of the phase, of bidding, and of when the job was posted. */
  readonly due: number;
  readonly expiry: number;
  readonly posted: number;
  /** How far the kernel's clock is from this machine's is not known: times are shown as they are. */
  readonly outcome: string;
  readonly tone: Tone;
  /** Which buttons make sense now. */
  readonly actions: readonly Action[];
}

export type Tone = "" | "good" | "bad" | "dim";
export type Action = "top_up" | "cancel" | "pull";

/** An announced loss: when, by whom (an index into the bidders), how low. */
export type Bid = readonly [time: number, bidder: number, loss: number];

/** A row of a table as the kernel has laid it out: texts with their tones. */
export type Row = readonly (readonly [text: string, tone: Tone])[];

export interface Line {
  readonly time: string;
  readonly text: string;
}

export interface Snapshot {
  readonly head: Head;
  readonly bidders: readonly string[];
  readonly bids: readonly Bid[];
  /** Bidders whose bid was refuted. */
  readonly refuted: readonly number[];
  readonly leaderboard: readonly Row[];
  readonly verdicts: readonly Row[];
  readonly events: readonly Line[];
}

/** What changed: bidders, bids and events are appended, the rest is replaced. */
export type Delta = Partial<Snapshot>;

const EVENTS_KEPT = 200;

export class Story {
  head: Head;
  readonly bidders: string[];
  /** Columns, as the chart wants them; times in seconds. */
  readonly times: number[] = [];
  readonly losses: number[] = [];
  readonly by: number[] = [];
  refuted: ReadonlySet<number>;
  leaderboard: readonly Row[];
  verdicts: readonly Row[];
  readonly events: Line[];

  constructor(snapshot: Snapshot) {
    this.head = snapshot.head;
    this.bidders = [...snapshot.bidders];
    this.refuted = new Set(snapshot.refuted);
    this.leaderboard = snapshot.leaderboard;
    this.verdicts = snapshot.verdicts;
    this.events = [...snapshot.events];
    this.#append(snapshot.bids);
  }

  apply(delta: Delta): void {
    this.head = delta.head ?? this.head;
    this.leaderboard = delta.leaderboard ?? this.leaderboard;
    this.verdicts = delta.verdicts ?? this.verdicts;
    if (delta.refuted) this.refuted = new Set(delta.refuted);
    this.bidders.push(...(delta.bidders ?? []));
    this.#append(delta.bids ?? []);
    this.events.push(...(delta.events ?? []));
    this.events.splice(0, Math.max(0, this.events.length - EVENTS_KEPT));
  }

  #append(bids: readonly Bid[]): void {
    for (const [time, bidder, loss] of bids) {
      this.times.push(time / 1000);
      this.by.push(bidder);
      this.losses.push(loss / 1e9);
    }
  }
}
