/** Three nodes of a graph: the icon of the panel, its pages and its commands. */

import { LabIcon } from "@jupyterlab/ui-components";

export const icon = new LabIcon({
  name: "learningchain:icon",
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24">
  <g class="jp-icon3" fill="#616161">
    <path d="M11.1 8.6h1.8v4.2l3.6 2.1-.9 1.5-3.6-2-3.6 2-.9-1.5 3.6-2.1z"/>
    <circle cx="12" cy="6" r="3.4"/><circle cx="5.6" cy="17.3" r="3.4"/><circle cx="18.4" cy="17.3" r="3.4"/>
  </g>
</svg>`,
});
