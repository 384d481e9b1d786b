/** The jobs of the graph and the own ones, with filters; each opens its page. */

import { button, checkbox, choice, field, make, type Row, show, table, textInput } from "../dom.js";
import type { JobSummary } from "../schema.js";
import { showCredits, showLoss, showName, showSpan } from "../units.js";
import { type Context, Section } from "./section.js";

/** What people filter by, and the phases that it means. */
const PHASES: Readonly<Record<string, readonly string[]>> = {
  all: [],
  open: ["open"],
  judged: ["opening", "commit", "reveal", "appeal"],
  settled: ["settled"],
  over: ["settled", "refunded", "cancelled"],
};

export class Jobs extends Section {
  readonly #mine = checkbox(false);
  readonly #words = textInput("");
  readonly #phases: HTMLSelectElement;
  readonly #found = make("div");
  #jobs: readonly JobSummary[] = [];

  constructor(context: Context) {
    super(context, "jobs", context.trans.__("Jobs"));
    const { trans } = context;
    this.#phases = choice(
      [
        ["all", trans.__("all")],
        ["open", trans.__("open for bids")],
        ["judged", trans.__("being judged")],
        ["settled", trans.__("settled")],
        ["over", trans.__("over")],
      ],
      "all",
    );
    this.#words.type = "search";
    this.#words.placeholder = trans.__("name or id");
    const filters = make(
      "div",
      "lcp-filters",
      field(trans.__("Phase"), this.#phases).element,
      field(trans.__("Find"), this.#words).element,
      field(trans.__("Only mine"), this.#mine).element,
    );
    filters.setAttribute("role", "search");
    filters.setAttribute("aria-label", trans.__("Filter jobs"));
    this.#phases.addEventListener("change", () => void this.update());
    this.#mine.addEventListener("change", () => void this.update());
    this.#words.addEventListener("input", () => this.#show());
    this.body.append(filters, this.#found);
    this.element.open = true;
  }

  protected async draw(): Promise<void> {
    this.#jobs = await this.context.node.requests.get<readonly JobSummary[]>("jobs", {
      mine: String(this.#mine.checked),
      phases: PHASES[this.#phases.value] ?? [],
      jobs_max: String(this.context.preferences.jobsMax),
    });
    this.#show();
  }

  #show(): void {
    const { trans } = this.context;
    const words = this.#words.value.trim().toLowerCase();
    const jobs = this.#jobs.filter(({ job, title }) => job.startsWith(words) || title.toLowerCase().includes(words));
    if (jobs.length === 0) {
      const isFiltered = words !== "" || this.#mine.checked || this.#phases.value !== "all";
      const why = isFiltered ? trans.__("No job fits the filters.") : trans.__("No jobs yet: post one with %%lc_submit, or below.");
      show(this.#found, make("p", "dim", why));
      return;
    }
    const columns = [trans.__("job"), trans.__("bounty"), trans.__("best loss")];
    show(this.#found, table(trans.__("Jobs"), columns, jobs.map((job) => this.#row(job)), [1, 2]));
  }

  #row(job: JobSummary): Row {
    const { trans } = this.context;
    const id = job.job.slice(0, 8);
    const open = button(job.title || id, () => this.context.openJob(job.job, job.title), trans.__("Open job %1, %2", job.title, id));
    open.classList.add("lcp-link");
    open.dataset["key"] = job.job;
    const isOver = PHASES["over"]?.includes(job.phase);
    const facts = [
      showName(job.phase) + (job.label ? ` (${job.label})` : ""),
      job.mine ? trans.__("mine") : "",
      trans._n("%1 bid", "%1 bids", job.bids),
      isOver ? "" : trans.__("%1 left", showSpan((job.due - Date.now()) / 1000)),
      job.local && job.local !== "idle" && !isOver ? trans.__("here: %1", job.local) : "",
      id,
    ];
    return {
      cells: [open, showCredits(job.bounty), showLoss(job.best_loss)],
      below: facts.filter(Boolean).join(" · "),
      tone: job.phase === "settled" ? "good" : job.phase === "refunded" ? "bad" : "dim",
    };
  }
}
