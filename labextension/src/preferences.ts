/** What the owner has set in JupyterLab's settings (schema/panel.json). */

import type { ISettingRegistry } from "@jupyterlab/settingregistry";

export interface Preferences {
  readonly jobsMax: number;
  readonly changesMax: number;
  readonly statusBar: boolean;
}

export const DEFAULTS: Preferences = { jobsMax: 100, changesMax: 200, statusBar: true };

export function read(settings: ISettingRegistry.ISettings): Preferences {
  return { ...DEFAULTS, ...(settings.composite as Partial<Preferences>) };
}
