/** The machine's load, and what runs on it for jobs; each run can be stopped. */

import { button, type Content, facts, make, type Row, show, table } from "../dom.js";
import type { Activity, Machine } from "../schema.js";
import { showBytes, showLoss, showSpan } from "../units.js";
import { type Context, Section } from "./section.js";

export class Load extends Section {
  constructor(context: Context) {
    super(context, "machine", context.trans.__("This machine"));
  }

  protected async draw(): Promise<void> {
    const machine = await this.context.node.requests.get<Machine>("machine");
    show(this.body, this.#facts(machine), this.#running(machine.activities));
  }

  /** What is not known on this machine is left out. */
  #facts(machine: Machine): HTMLElement {
    const { trans } = this.context;
    const { cpus, load_permille: load, memory_used_bytes: used, memory_bytes: memory, node_memory_bytes: node } = machine;
    const { blobs_bytes: blobs, blobs_bytes_max: blobsMax } = machine;
    const rows: [string, Content][] = [];
    if (load !== null) {
      const queued = load / 1000;
      rows.push([trans.__("CPU"), meter(trans.__("load %1 on %2 processors", queued.toFixed(1), cpus), queued / cpus)]);
    }
    if (used !== null) {
      rows.push([trans.__("memory"), meter(trans.__("%1 of %2", showBytes(used), showBytes(memory)), used / memory)]);
    }
    rows.push([trans.__("blobs"), meter(trans.__("%1 of %2", showBytes(blobs), showBytes(blobsMax)), blobs / blobsMax)]);
    rows.push([trans.__("disk"), trans.__("%1 free", showBytes(machine.disk_free_bytes))]);
    if (node !== null) rows.push([trans.__("node"), showBytes(node)]);
    return facts(trans.__("Load"), rows);
  }

  #running(activities: readonly Activity[]): HTMLElement {
    const { trans } = this.context;
    if (activities.length === 0) return make("p", "dim", trans.__("Nothing runs for jobs at the moment."));
    const rows = activities.map((activity) => this.#row(activity));
    return table(trans.__("Running"), [trans.__("job"), trans.__("best loss"), trans.__("stop")], rows, [1, 2]);
  }

  #row({ job, title, kind, step, since, trials, best_loss }: Activity): Row {
    const { context } = this;
    const { trans } = context;
    const name = title || job.slice(0, 8);
    const open = button(name, () => context.openJob(job, title), trans.__("Open job %1", name));
    open.classList.add("lcp-link");
    open.dataset["key"] = `open-${kind}-${job}`;
    const stop = button(trans.__("Stop"), () => void this.act(() => this.#stop(job, name)), trans.__("Stop %1 of %2", kind, name));
    stop.dataset["key"] = `stop-${kind}-${job}`;
    const facts = [step.startsWith(kind) ? step : `${kind}, ${step}`, showSpan((Date.now() - since) / 1000)];
    if (trials > 0) facts.push(trans._n("%1 trial", "%1 trials", trials));
    return { cells: [open, showLoss(best_loss), stop], below: facts.join(" · ") };
  }

  async #stop(job: string, name: string): Promise<string> {
    await this.context.node.requests.post(`jobs/${job}/stop`);
    return this.context.trans.__("Stopped what ran for %1; this node takes it no more.", name);
  }
}

/** A share as a bar, with its text. */
function meter(text: string, share: number): HTMLElement {
  const bar = make("meter");
  bar.max = 1;
  bar.high = 0.9;
  bar.value = Math.min(1, share);
  bar.setAttribute("aria-label", text);
  return make("div", "lcp-meter", make("span", "", text), bar);
}
