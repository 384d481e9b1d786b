"use strict";(self.rspackChunklearningchain=self.rspackChunklearningchain||[]).push([[266],{685(e,o,r){var t=r(601),n=r.n(t),i=r(314),l=(r.n(i))()(n());l.push([e.id,`.lcw {
  font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  font-size: 13px;
  line-height: 1.45;
  max-width: 960px;
  color: var(--jp-ui-font-color1, var(--vscode-foreground, inherit));
  --lcw-good: var(--jp-success-color0, #2e7d32);
  --lcw-bad: var(--jp-error-color1, #d32f2f);
  --lcw-line: var(--jp-border-color2, rgba(128, 128, 128, 0.35));
  --lcw-dim: var(--jp-ui-font-color2, #777);
}
body[data-jp-theme-light="false"] .lcw {
  --lcw-good: var(--jp-success-color2, #81c784);
  --lcw-bad: var(--jp-error-color2, #e57373);
}
.lcw h4 { margin: 0.2em 0 0.3em; font-size: 14px; font-weight: 600; overflow-wrap: anywhere; }
.lcw p { margin: 0.25em 0; overflow-wrap: anywhere; }
.lcw-state { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1em; align-items: baseline; }
.lcw-left { color: var(--lcw-dim); font-variant-numeric: tabular-nums; }
.lcw-chart { min-height: 0; margin: 0.4em 0; }
.lcw-scroll { overflow-x: auto; }
.lcw table { border-collapse: collapse; margin: 0.3em 0 0.7em; font-size: inherit; font-variant-numeric: tabular-nums; }
.lcw caption { text-align: left; font-weight: 600; padding: 0.2em 0; color: inherit; caption-side: top; }
.lcw th, .lcw td {
  text-align: left; vertical-align: baseline; padding: 0.2em 1em 0.2em 0; border: 0;
  border-bottom: 1px solid var(--lcw-line); white-space: nowrap; background: none; color: inherit;
}
/* What a bid was refuted for is a sentence. */
.lcw td:nth-child(4) { white-space: normal; min-width: 5em; }
.lcw th { font-weight: 600; color: var(--lcw-dim); }
.lcw tbody tr[style] td:nth-child(2)::before {
  content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 6px; background: var(--lcw-colour);
}
.lcw ol { list-style: none; margin: 0.3em 0; padding: 0; max-height: 12em; overflow-y: auto; }
.lcw summary { cursor: pointer; color: var(--lcw-dim); }
.lcw-actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 0.4em 0; }
.lcw-actions:empty { display: none; }
.lcw form { display: inline-flex; gap: 4px; }
.lcw button, .lcw input {
  font: inherit; color: inherit; background: var(--jp-layout-color2, rgba(128, 128, 128, 0.15));
  border: 1px solid var(--lcw-line); border-radius: 2px; padding: 2px 10px;
}
.lcw button { cursor: pointer; }
.lcw :is(button, input, summary):focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.lcw .good { color: var(--lcw-good); }
.lcw .bad { color: var(--lcw-bad); }
.lcw .dim { color: var(--lcw-dim); }
.lcw [hidden] { display: none; }
@media (max-width: 500px) {
  .lcw { font-size: 12px; padding-left: 4px; }
  .lcw table { font-size: 11px; }
  .lcw th, .lcw td { padding-right: 0.5em; }
}
`,""]),r.d(o,{},{A:l})},757(e,o,r){var t=r(601),n=r.n(t),i=r(314),l=(r.n(i))()(n());l.push([e.id,'.uplot, .uplot *, .uplot *::before, .uplot *::after {box-sizing: border-box;}.uplot {font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif, "Apple Color Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Noto Color Emoji";line-height: 1.5;width: min-content;}.u-title {text-align: center;font-size: 18px;font-weight: bold;}.u-wrap {position: relative;user-select: none;}.u-over, .u-under {position: absolute;}.u-under {overflow: hidden;}.uplot canvas {display: block;position: relative;width: 100%;height: 100%;}.u-axis {position: absolute;}.u-legend {font-size: 14px;margin: auto;text-align: center;}.u-inline {display: block;}.u-inline * {display: inline-block;}.u-inline tr {margin-right: 16px;}.u-legend th {font-weight: 600;}.u-legend th > * {vertical-align: middle;display: inline-block;}.u-legend .u-marker {width: 1em;height: 1em;margin-right: 4px;background-clip: padding-box !important;}.u-inline.u-live th::after {content: ":";vertical-align: middle;}.u-inline:not(.u-live) .u-value {display: none;}.u-series > * {padding: 4px;}.u-series th {cursor: pointer;}.u-legend .u-off > * {opacity: 0.3;}.u-select {background: rgba(0,0,0,0.07);position: absolute;pointer-events: none;}.u-cursor-x, .u-cursor-y {position: absolute;left: 0;top: 0;pointer-events: none;will-change: transform;}.u-hz .u-cursor-x, .u-vt .u-cursor-y {height: 100%;border-right: 1px dashed #607D8B;}.u-hz .u-cursor-y, .u-vt .u-cursor-x {width: 100%;border-bottom: 1px dashed #607D8B;}.u-cursor-pt {position: absolute;top: 0;left: 0;border-radius: 50%;border: 0 solid;pointer-events: none;will-change: transform;/*this has to be !important since we set inline "background" shorthand */background-clip: padding-box !important;}.u-axis.u-off, .u-select.u-off, .u-cursor-x.u-off, .u-cursor-y.u-off, .u-cursor-pt.u-off {display: none;}',""]),r.d(o,{},{A:l})},646(e,o,r){var t=r(601),n=r.n(t),i=r(314),l=r.n(i),a=r(757),p=r(685),c=l()(n());c.i(a.A),c.i(p.A),c.push([e.id,`.lcp, .lcp-page {
  --lcp-good: var(--jp-success-color0, #2e7d32);
  --lcp-bad: var(--jp-error-color1, #d32f2f);
  --lcp-line: var(--jp-border-color2);
  --lcp-dim: var(--jp-ui-font-color2);
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.45;
  overflow: auto;
}
body[data-jp-theme-light="false"] :is(.lcp, .lcp-page) {
  --lcp-good: var(--jp-success-color2, #81c784);
  --lcp-bad: var(--jp-error-color2, #e57373);
}
.lcp { min-width: 240px; padding: 8px 12px 24px; box-sizing: border-box; container-type: inline-size; }
.lcp-page { padding: 12px 16px; box-sizing: border-box; }
.lcp-below-a-notebook { min-height: min(420px, 50vh); }
.lcp h2 { margin: 2px 0 8px; font-size: var(--jp-ui-font-size2); font-weight: 600; }
.lcp p { margin: 4px 0; overflow-wrap: anywhere; }
.lcp .good { color: var(--lcp-good); }
.lcp .bad { color: var(--lcp-bad); }
.lcp .dim { color: var(--lcp-dim); }
.lcp [hidden], .lcp-page [hidden] { display: none; }

.lcp-problem { margin: 0 0 10px; padding: 8px 10px; border-left: 3px solid var(--lcp-bad); background: var(--jp-layout-color2); overflow-wrap: anywhere; }
.lcp-gone .lcp-section { display: none; }
.lcp-latest { position: sticky; top: -8px; z-index: 1; margin: 0 -12px 4px !important; padding: 4px 12px; background: var(--jp-layout-color1); }
.lcp-latest:empty { display: none; }

.lcp-section { border-top: 1px solid var(--lcp-line); }
.lcp-section > summary { padding: 7px 0; font-weight: 600; cursor: pointer; }
.lcp-body { padding: 0 0 12px; }

.lcp table { border-collapse: collapse; width: 100%; margin: 2px 0 8px; font-variant-numeric: tabular-nums; }
.lcp caption { text-align: left; font-weight: 600; padding: 4px 0 2px; color: inherit; }
.lcp th, .lcp td {
  text-align: left; vertical-align: top; padding: 3px 8px 3px 0; border-bottom: 1px solid var(--lcp-line); overflow-wrap: anywhere;
}
.lcp th { font-weight: normal; }
.lcp :is(thead, .lcp-facts) th { color: var(--lcp-dim); white-space: nowrap; }
.lcp tr:has(+ tr > .lcp-below) :is(th, td) { border-bottom: 0; padding-bottom: 0; }
.lcp td.lcp-below { padding-top: 0; font-size: var(--jp-ui-font-size0); line-height: 1.35; }
.lcp-name { white-space: nowrap; }
.lcp :is(th, td):last-child { padding-right: 0; }
.lcp .number { text-align: right; white-space: nowrap; }
.lcp-facts th { width: 1%; padding-right: 14px; }
.lcp-scroll { overflow-x: auto; }
.lcp-findings { margin: 4px 0 8px; padding-left: 18px; }

.lcp-filters { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: end; margin-bottom: 6px; }
.lcp-filters .lcp-field { flex: 1 1 96px; }
.lcp-field { display: flex; flex-direction: column; gap: 2px; min-width: 0; color: var(--lcp-dim); }
.lcp-check { display: flex; gap: 6px; align-items: center; padding: 3px 0; }
.lcp :is(input, select):not([type="checkbox"]) { width: 100%; height: 26px; box-sizing: border-box; }
.lcp :is(button, input, select), .lcp-credits button {
  font: inherit; color: var(--jp-ui-font-color1); background: var(--jp-layout-color2); border: 1px solid var(--lcp-line); border-radius: 2px; padding: 3px 8px;
}
.lcp button { cursor: pointer; }
.lcp button.lcp-link {
  border: 0; padding: 0; background: none; color: var(--jp-content-link-color, var(--jp-brand-color1)); text-align: left; overflow-wrap: anywhere;
}
.lcp button.lcp-link:hover { text-decoration: underline; }
.lcp button.lcp-main { background: var(--jp-brand-color1); border-color: var(--jp-brand-color1); color: var(--jp-ui-inverse-font-color1, #fff); }
.lcp button:disabled { opacity: 0.5; cursor: default; }
:is(.lcp, .lcp-credits) :is(button, input, select, summary):focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 1px; }

.lcp-credits button { border: 0; background: none; padding: 0 6px; height: 100%; cursor: pointer; color: inherit; font-size: inherit; }
.lcp-credits button:hover { background: var(--jp-layout-color3); }

.lcp-meter meter { display: block; width: 100%; height: 8px; }
.lcp-balance { margin: 4px 0 8px; }
.lcp-form { display: grid; grid-template-columns: 1fr; gap: 8px 12px; }
.lcp-more > summary { cursor: pointer; color: var(--lcp-dim); padding: 2px 0; }
.lcp-more[open] { display: grid; gap: 8px; }
.lcp-buttons { display: flex; gap: 8px; }
.lcp :is(input, select)[aria-invalid="true"] { border-color: var(--lcp-bad); }
.lcp-latest { white-space: pre-line; }
@container (min-width: 360px) {
  .lcp-form { grid-template-columns: 1fr 1fr; align-items: end; }
  .lcp-form > :is(.lcp-more, .lcp-check, .lcp-buttons, p) { grid-column: 1 / -1; }
}
`,""]),r.d(o,{},{A:c})},314(e){e.exports=function(e){var o=[];return o.toString=function(){return this.map(function(o){var r="",t=void 0!==o[5];return o[4]&&(r+="@supports (".concat(o[4],") {")),o[2]&&(r+="@media ".concat(o[2]," {")),t&&(r+="@layer".concat(o[5].length>0?" ".concat(o[5]):""," {")),r+=e(o),t&&(r+="}"),o[2]&&(r+="}"),o[4]&&(r+="}"),r}).join("")},o.i=function(e,r,t,n,i){"string"==typeof e&&(e=[[null,e,void 0]]);var l={};if(t)for(var a=0;a<this.length;a++){var p=this[a][0];null!=p&&(l[p]=!0)}for(var c=0;c<e.length;c++){var s=[].concat(e[c]);t&&l[s[0]]||(void 0!==i&&(void 0===s[5]||(s[1]="@layer".concat(s[5].length>0?" ".concat(s[5]):""," {").concat(s[1],"}")),s[5]=i),r&&(s[2]&&(s[1]="@media ".concat(s[2]," {").concat(s[1],"}")),s[2]=r),n&&(s[4]?(s[1]="@supports (".concat(s[4],") {").concat(s[1],"}"),s[4]=n):s[4]="".concat(n)),o.push(s))}},o}},601(e){e.exports=function(e){return e[1]}},665(e,o,r){r.r(o);var t=r(72),n=r.n(t),i=r(825),l=r.n(i),a=r(659),p=r.n(a),c=r(56),s=r.n(c),d=r(540),u=r.n(d),f=r(113),g=r.n(f),h=r(646),m={};m.styleTagTransform=g(),m.setAttributes=s(),m.insert=p().bind(null,"head"),m.domAPI=l(),m.insertStyleElement=u(),n()(h.A,m);let b=h.A&&h.A.locals?h.A.locals:void 0;r.d(o,{},{default:b})},72(e){var o=[];function r(e){for(var r=-1,t=0;t<o.length;t++)if(o[t].identifier===e){r=t;break}return r}function t(e,t){for(var n={},i=[],l=0;l<e.length;l++){var a=e[l],p=t.base?a[0]+t.base:a[0],c=n[p]||0,s="".concat(p," ").concat(c);n[p]=c+1;var d=r(s),u={css:a[1],media:a[2],sourceMap:a[3],supports:a[4],layer:a[5]};if(-1!==d)o[d].references++,o[d].updater(u);else{var f=function(e,o){var r=o.domAPI(o);return r.update(e),function(o){o?(o.css!==e.css||o.media!==e.media||o.sourceMap!==e.sourceMap||o.supports!==e.supports||o.layer!==e.layer)&&r.update(e=o):r.remove()}}(u,t);t.byIndex=l,o.splice(l,0,{identifier:s,updater:f,references:1})}i.push(s)}return i}e.exports=function(e,n){var i=t(e=e||[],n=n||{});return function(e){e=e||[];for(var l=0;l<i.length;l++){var a=r(i[l]);o[a].references--}for(var p=t(e,n),c=0;c<i.length;c++){var s=r(i[c]);0===o[s].references&&(o[s].updater(),o.splice(s,1))}i=p}}},659(e){var o={};e.exports=function(e,r){var t=function(e){if(void 0===o[e]){var r=document.querySelector(e);if(window.HTMLIFrameElement&&r instanceof window.HTMLIFrameElement)try{r=r.contentDocument.head}catch(e){r=null}o[e]=r}return o[e]}(e);if(!t)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");t.appendChild(r)}},540(e){e.exports=function(e){var o=document.createElement("style");return e.setAttributes(o,e.attributes),e.insert(o,e.options),o}},56(e,o,r){e.exports=function(e){var o=r.nc;o&&e.setAttribute("nonce",o)}},825(e){e.exports=function(e){if("u"<typeof document)return{update:function(){},remove:function(){}};var o=e.insertStyleElement(e);return{update:function(r){var t,n,i;t="",r.supports&&(t+="@supports (".concat(r.supports,") {")),r.media&&(t+="@media ".concat(r.media," {")),(n=void 0!==r.layer)&&(t+="@layer".concat(r.layer.length>0?" ".concat(r.layer):""," {")),t+=r.css,n&&(t+="}"),r.media&&(t+="}"),r.supports&&(t+="}"),(i=r.sourceMap)&&"u">typeof btoa&&(t+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(i))))," */")),e.styleTagTransform(t,o,e.options)},remove:function(){var e;null===(e=o).parentNode||e.parentNode.removeChild(e)}}}},113(e){e.exports=function(e,o){if(o.styleSheet)o.styleSheet.cssText=e;else{for(;o.firstChild;)o.removeChild(o.firstChild);o.appendChild(document.createTextNode(e))}}}}]);