/** The sections of the panel, from top to bottom. */

import { Credits } from "./credits.js";
import { Jobs } from "./jobs.js";
import { Load } from "./load.js";
import { Overview } from "./overview.js";
import { PolicyForm } from "./policy.js";
import { SubmitForm } from "./submit.js";

export const SECTIONS = [Overview, Jobs, Credits, Load, PolicyForm, SubmitForm] as const;
