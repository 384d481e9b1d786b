/** The plugin: what JupyterLab and Notebook 7 are given, and what they are asked for. */

import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, InputDialog, WidgetTracker } from "@jupyterlab/apputils";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStateDB } from "@jupyterlab/statedb";
import { IStatusBar } from "@jupyterlab/statusbar";
import { ITranslator, nullTranslator, type TranslationBundle } from "@jupyterlab/translation";
import { Signal } from "@lumino/signaling";
import { icon } from "./icon.js";
import { NodeModel } from "./node.js";
import { JobPage } from "./page.js";
import { Panel } from "./panel.js";
import { DEFAULTS, type Preferences, read } from "./preferences.js";
import { type Refusal, Requests } from "./requests.js";
import type { JobSummary } from "./schema.js";
import { SECTIONS } from "./sections/index.js";
import { CreditsItem } from "./status.js";

const ID = "learningchain:panel";
const Command = {
  open: "learningchain:open",
  job: "learningchain:open-job",
  submit: "learningchain:submit-image",
  policy: "learningchain:edit-policy",
  refresh: "learningchain:refresh",
} as const;

/** What there is of the application; all but the first two may be missing. */
interface Surroundings {
  readonly app: JupyterFrontEnd;
  readonly trans: TranslationBundle;
  readonly labShell: ILabShell | null;
  readonly restorer: ILayoutRestorer | null;
  readonly palette: ICommandPalette | null;
  readonly statusBar: IStatusBar | null;
  readonly states: IStateDB | null;
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: "The side panel of a LearningChain node.",
  autoStart: true,
  optional: [ITranslator, ILabShell, ILayoutRestorer, ICommandPalette, IStatusBar, ISettingRegistry, IStateDB],
  activate: async (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null,
    states: IStateDB | null,
  ): Promise<void> => {
    const trans = (translator ?? nullTranslator).load("learningchain");
    const extension = new Extension({ app, trans, labShell, restorer, palette, statusBar, states });
    const settings = await registry?.load(ID);
    if (settings === undefined) return;
    extension.prefer(read(settings));
    settings.changed.connect((changed) => extension.prefer(read(changed)));
  },
};

class Extension {
  readonly #around: Surroundings;
  readonly #node: NodeModel;
  readonly #panel: Panel;
  readonly #pages = new WidgetTracker<JobPage>({ namespace: "learningchain-jobs" });
  readonly #credits: CreditsItem;
  readonly #preferred = new Signal<this, void>(this);
  #preferences = DEFAULTS;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#node = new NodeModel(new Requests(around.trans));
    this.#panel = this.#makePanel();
    this.#credits = new CreditsItem(this.#node, around.trans, () => void around.app.commands.execute(Command.open));
    this.#addCommands();
    around.app.shell.add(this.#panel, "right", { rank: 600, type: "LearningChain" });
    around.restorer?.add(this.#panel, this.#panel.id);
    around.statusBar?.registerStatusItem(ID, {
      item: this.#credits,
      align: "right",
      rank: 600,
      // Stays in a narrow window, too: others leave it, and come back only when the layout changes.
      priority: 1,
      // The bar shows and hides its items itself.
      isActive: () => this.#preferences.statusBar,
      activeStateChanged: this.#preferred,
    });
    void around.restorer?.restore(this.#pages, {
      command: Command.job,
      args: ({ job, name }) => ({ job, title: name }),
      name: ({ job }) => job,
    });
    void this.#node.connect();
  }

  prefer(preferences: Preferences): void {
    this.#preferences = preferences;
    this.#preferred.emit();
    this.#node.refresh();
  }

  #makePanel(): Panel {
    const { trans, states } = this.#around;
    const extension = this;
    const context = {
      node: this.#node,
      trans,
      get preferences(): Preferences {
        return extension.#preferences;
      },
      openJob: (job: string, title: string) => this.#openJob(job, title),
    };
    return new Panel(context, (whole) => SECTIONS.map((Kind) => new Kind(whole)), states);
  }

  #addCommands(): void {
    const { app, palette, trans } = this.#around;
    const add = (id: string, label: string, execute: (args: Record<string, unknown>) => unknown): void => {
      app.commands.addCommand(id, { label, icon, execute, describedBy: { args: { type: "object" } } });
      palette?.addItem({ command: id, category: "LearningChain" });
    };
    add(Command.open, trans.__("Show the Node"), () => this.#reveal());
    add(Command.job, trans.__("Open a Job …"), ({ job, title }) =>
      job === undefined ? this.#askForJob() : this.#openJob(String(job), String(title ?? "")),
    );
    add(Command.submit, trans.__("Submit an Image"), () => this.#reveal("submit"));
    add(Command.policy, trans.__("Choose Which Jobs the Node Takes"), () => this.#reveal("policy"));
    add(Command.refresh, trans.__("Ask the Node Anew"), () => {
      this.#reveal();
      return this.#node.connect();
    });
  }

  #reveal(section = ""): void {
    this.#around.app.shell.activateById(this.#panel.id);
    if (section) this.#panel.reveal(section);
  }

  async #askForJob(): Promise<void> {
    const { trans } = this.#around;
    const asked = await InputDialog.getText({ title: trans.__("Open a job"), label: trans.__("The beginning of its id") });
    const prefix = asked.value?.trim().toLowerCase();
    if (!prefix) return;
    this.#reveal(); // whatever comes of it is said there
    try {
      const found = await this.#find(prefix);
      this.#openJob(found.job, found.title);
    } catch (error) {
      const { fault, message } = error as Refusal;
      // Whether there is a node at all, the panel says by itself.
      if (fault === "refused" || fault === undefined) this.#panel.say(message, "bad");
      else this.#node.refresh();
    }
  }

  /** @throws Error with a message for people: none is meant, or several are */
  async #find(prefix: string): Promise<JobSummary> {
    const { trans } = this.#around;
    if (!/^[0-9a-f]{1,64}$/.test(prefix)) throw new Error(trans.__("“%1” is no id of a job: these have digits and the letters a to f.", prefix));
    const [found, another] = await this.#node.requests.get<readonly JobSummary[]>("jobs", { prefix, jobs_max: "2" });
    if (found === undefined) throw new Error(trans.__("No job begins with “%1”.", prefix));
    if (another !== undefined) throw new Error(trans.__("Several jobs begin with “%1”: write more digits, or choose one below.", prefix));
    return found;
  }

  #openJob(job: string, title: string): void {
    const { app, labShell, trans } = this.#around;
    let page = this.#pages.find((open) => open.job === job);
    if (page === undefined) {
      page = new JobPage(job, title, this.#node.requests, trans);
      // Notebook 7 shows one document a page: there it opens below it, as high as it asks for.
      if (labShell === null) {
        page.addClass("lcp-below-a-notebook");
        page.title.icon = undefined; // its tabs have no room for one
      }
      app.shell.add(page, labShell ? "main" : "down");
      void this.#pages.add(page);
    }
    app.shell.activateById(page.id);
  }
}

export default plugin;
