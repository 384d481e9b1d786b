/** Posting a job whose image is in a registry: pulled here, priced, tried out, posted. */

import { checkbox, choice, field, make } from "../dom.js";
import { TextField, Unreadable, wholeNumber } from "../form.js";
import type { CheckReport, ImageView, JobRequest, Price } from "../schema.js";
import { readBytes, readCredits, readSpan, showBytes, showCredits, showLoss } from "../units.js";
import { readMillicpus } from "./policy.js";
import { type Context, Section } from "./section.js";

const CHECK_SECONDS = 30;
const EVALUATE_SECONDS_UNCHECKED = 60;
const FORMATS = ["raw", "skops", "npz", "safetensors", "onnx", "pickle"];

export class SubmitForm extends Section {
  readonly #form = make("form", "lcp-form");
  readonly #texts: ReturnType<typeof fields>;
  readonly #format = choice(FORMATS.map((name) => [name, name] as const), "raw");
  readonly #contract: HTMLSelectElement;
  readonly #check = checkbox(true);
  readonly #post: HTMLButtonElement;

  constructor(context: Context) {
    super(context, "submit", context.trans.__("Submit an image"));
    const { trans } = context;
    this.#texts = fields(context);
    const texts = this.#texts;
    this.#contract = choice(
      [
        ["lc/1", "lc/1"],
        ["stdout/1", trans.__("stdout/1: it prints its loss")],
        ["stdout/1:negate", trans.__("stdout/1: it prints a score, higher is better")],
      ],
      "lc/1",
    );
    this.#post = make("button", "lcp-main", trans.__("Post"));
    const more = make("details", "lcp-more", make("summary", "", trans.__("More")));
    more.append(
      ...[texts.trial, texts.cpus, texts.memory, texts.disk, texts.gpus, texts.model].map(({ element }) => element),
      field(trans.__("Try it out here first"), this.#check).element,
    );
    this.#form.append(
      ...[texts.reference, texts.name, texts.bounty, texts.expires].map(({ element }) => element),
      field(trans.__("How it talks with the node"), this.#contract).element,
      field(trans.__("Format of its models"), this.#format).element,
      more,
      make("p", "dim", trans.__("Every node that takes the job can read the image: its code and its data.")),
      make("div", "lcp-buttons", this.#post),
    );
    this.#form.noValidate = true;
    this.#form.setAttribute("aria-label", trans.__("Submit an image"));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.body.append(this.#form);
  }

  protected async draw(): Promise<void> {
    // Nothing of the node is shown here.
  }

  protected override fail(error: unknown): void {
    super.fail(error);
    if (error instanceof Unreadable) error.input.focus();
  }

  async #submit(): Promise<void> {
    if (this.#post.disabled) return;
    this.#post.disabled = true;
    await this.act(() => this.#take());
    this.#post.disabled = false;
  }

  async #take(): Promise<string> {
    const { context } = this;
    const { trans } = context;
    const { requests } = context.node;
    const reference = this.#texts.reference.read();
    this.#read(reference, { image: "0".repeat(64), total_bytes: 1, problem: "" }); // what cannot be read is said before anything is pulled
    context.say(trans.__("Pulling %1 …", reference), "dim");
    const image = await requests.post<ImageView>("images/pull", { reference, keep: false });
    let request = this.#read(reference, image);
    const price = await requests.post<Price>("price", request);
    this.#validate(price);
    if (this.#check.checked) {
      context.say(trans.__("%1 is here, %2; trying it out …", reference, showBytes(image.total_bytes)), "dim");
      const report = await requests.post<CheckReport>("check", { request, seconds: CHECK_SECONDS });
      if (report.problem !== "none") throw new Error([report.text, report.log_tail].filter(Boolean).join("\n"));
      request = { ...request, evaluate_seconds: report.evaluate_seconds };
      context.say(trans.__("Its first model has the loss %1; posting …", showLoss(report.loss)), "dim");
    }
    const { job } = await requests.post<{ job: string }>("jobs", request);
    context.openJob(job, request.title);
    return trans.__("Posted as job %1 for %2 credits and a fee of %3.", job.slice(0, 8), showCredits(price.bounty), showCredits(price.fee));
  }

  #validate(price: Price): void {
    if (price.balance_after >= 0) return;
    throw new Error(
      this.context.trans.__(
        "Not enough credits: bounty %1 and fee %2 exceed the balance of %3; lower the bounty, or earn some.",
        showCredits(price.bounty),
        showCredits(price.fee),
        showCredits(price.balance),
      ),
    );
  }

  /** @throws Unreadable */
  #read(reference: string, image: ImageView): JobRequest {
    const texts = this.#texts;
    return {
      title: texts.name.read(),
      image: { manifest: image.image, total_bytes: Math.max(1, image.total_bytes), references: [reference], on_graph: true },
      bounty: texts.bounty.read(),
      expiry_seconds: texts.expires.read(),
      model_format: this.#format.value,
      contract: this.#contract.value,
      resources: {
        millicpus: texts.cpus.read(),
        memory_bytes: texts.memory.read(),
        disk_bytes: texts.disk.read(),
        gpus: texts.gpus.read(),
      },
      trial_seconds: texts.trial.read(),
      evaluate_seconds: EVALUATE_SECONDS_UNCHECKED,
      model_bytes_max: texts.model.read(),
    };
  }
}

function fields({ trans }: Context) {
  const span = trans.__("a span in s, m, h or d, as 10m");
  const size = trans.__("a size in K, M, G or T, as 2G");
  const word = (text: string): string | null => text.trim() || null;
  return {
    reference: new TextField(trans.__("Image"), word, trans.__("a reference to a registry, as docker.io/ann/job:1"), "", {
      placeholder: "registry.example/ann/job:1",
      isRequired: true,
    }),
    name: new TextField(trans.__("Name of the job"), (text) => (text.length <= 120 ? text.trim() || "untitled" : null), trans.__("at most 120 letters"), "", { placeholder: "untitled" }),
    bounty: new TextField(trans.__("Bounty, in credits"), readCredits, trans.__("an amount of credits, as 20 or 0.5"), "", { mode: "decimal", isRequired: true }),
    expires: new TextField(trans.__("Bidding ends in"), readSpan, span, "10m"),
    trial: new TextField(trans.__("Longest trial"), readSpan, span, "10m"),
    cpus: new TextField(trans.__("Processors"), readMillicpus, trans.__("a number of processors, as 2 or 0.5"), "1", { mode: "decimal" }),
    memory: new TextField(trans.__("Memory"), readBytes, size, "2G"),
    disk: new TextField(trans.__("Scratch disk"), readBytes, size, "1G"),
    gpus: new TextField(trans.__("GPUs"), wholeNumber(0, 64), trans.__("a number from 0 to 64"), "0", { mode: "numeric" }),
    model: new TextField(trans.__("Largest model"), readBytes, size, "100M"),
  };
}
