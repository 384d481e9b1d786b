/** What the node answers, as far as the panel reads it: lc_node/api/schema*.py, in JSON. */

/** Credits in millionths, losses in 1e-9, moments in Unix milliseconds. */
export type Micro = number;
export type Nano = number;
export type Millis = number;

export interface Activity {
  readonly job: string;
  readonly title: string;
  readonly kind: string;
  readonly step: string;
  readonly since: Millis;
  readonly trials: number;
  readonly best_loss: Nano | null;
}

export interface Finding {
  readonly level: "trouble" | "warning" | "note";
  readonly text: string;
  readonly remedy: string;
}

export interface Status {
  readonly address: string;
  readonly software: string;
  readonly height: number;
  readonly network_height: number;
  readonly clock: Millis;
  readonly peers: number;
  readonly sync: string;
  readonly balance: Micro;
  readonly bonded: Micro;
  readonly is_banned: boolean;
  readonly is_validator: boolean;
  readonly is_working: boolean;
  readonly sandbox: { readonly engine: string; readonly version: string; readonly problem: string; readonly gpus: number };
  readonly activities: readonly Activity[];
  readonly jobs_open: number;
  readonly findings: readonly Finding[];
  readonly no_jobs_now: string;
}

export interface Peer {
  readonly address: string;
  readonly endpoint: string;
  readonly height: number;
  readonly is_validator: boolean;
  readonly since: Millis;
  readonly latency_ms: number | null;
  readonly software: string;
  readonly remedy: string;
}

export interface CreditChange {
  readonly height: number;
  readonly time: Millis;
  readonly amount: Micro;
  readonly code: string;
  readonly text: string;
  readonly job: string | null;
}

export interface Wallet {
  readonly address: string;
  readonly balance: Micro;
  readonly bonded: Micro;
  readonly unbonding: Micro;
  readonly escrowed: Micro;
  readonly changes: readonly CreditChange[];
}

export interface JobSummary {
  readonly job: string;
  readonly title: string;
  readonly mine: boolean;
  readonly phase: string;
  readonly bounty: Micro;
  readonly due: Millis;
  readonly bids: number;
  readonly best_loss: Nano | null;
  readonly label: string;
  readonly local: string;
}

export interface Resources {
  readonly millicpus: number;
  readonly memory_bytes: number;
  readonly disk_bytes: number;
  readonly gpus: number;
}

export interface Policy {
  readonly work: boolean;
  readonly bounty_min: Micro;
  readonly time_left_min_seconds: number;
  readonly trial_seconds_max: number;
  readonly jobs_at_once: number;
  readonly image_bytes_max: number;
  readonly offered: Resources;
  readonly newcomers: boolean;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly hours: readonly string[];
  readonly pause_on_battery: boolean;
  readonly others_percent_max: number;
}

export interface Machine {
  readonly cpus: number;
  readonly load_permille: number | null;
  readonly memory_bytes: number;
  readonly memory_used_bytes: number | null;
  readonly disk_free_bytes: number;
  readonly blobs_bytes: number;
  readonly blobs_bytes_max: number;
  readonly node_memory_bytes: number | null;
  readonly activities: readonly Activity[];
}

export interface ImageView {
  readonly image: string;
  readonly total_bytes: number;
  readonly problem: string;
}

export interface JobRequest {
  readonly title: string;
  readonly image: {
    readonly manifest: string;
    readonly total_bytes: number;
    readonly references: readonly string[];
    readonly on_graph: boolean;
  };
  readonly bounty: Micro;
  readonly expiry_seconds: number;
  readonly model_format: string;
  readonly contract: string;
  readonly resources: Resources;
  readonly trial_seconds: number;
  readonly evaluate_seconds: number;
  readonly model_bytes_max: number;
}

export interface Price {
  readonly bounty: Micro;
  readonly fee: Micro;
  readonly balance: Micro;
  readonly balance_after: Micro;
  readonly note: string;
}

export interface CheckReport {
  readonly problem: string;
  readonly text: string;
  readonly log_tail: string;
  readonly loss: Nano | null;
  readonly evaluate_seconds: number;
}

/** What the WebSocket of events says. */
export interface Told {
  readonly event?: { readonly code: string; readonly text: string; readonly job: string | null };
  readonly reachable?: boolean;
  readonly problem?: string;
}
