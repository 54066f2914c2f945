// What each gate comes to: a tile for each, which leads to its results.

import { h } from "./dom.js";
import { value } from "./numbers.js";
import { marginText, meter, SIGNS } from "./status.js";
import { counted, plural, seconds, short } from "./text.js";

/** @import { Child } from "./dom.js" */
/** @import { Gate } from "./gate.js" */
/** @import { Network, Report } from "./model.js" */

/** @typedef {(network: Network, gate: string) => void} Choose what is done where a tile is clicked */

// What there is where nothing may be, by gate.
/** @type {{ [gate: string]: string | undefined }} */
const UNLIKE = { structure: "differences", imagenet: "where none may be" };

/**
 * Build a row of tiles for each network.
 * @param {Report} report
 * @param {Choose} choose
 */
export function tiles(report, choose) {
  const rows = report.networks.map((network) => {
    const grid = network.gates.map((gate) => tile(network, gate, choose));
    return h("div", { class: "tile-row" }, h("h3", {}, network.name), h("div", { class: "tile-grid" }, grid));
  });
  return h("div", { class: "tiles" }, rows);
}

/**
 * @param {Network} network
 * @param {Gate} gate
 * @param {Choose} choose
 */
function tile(network, gate, choose) {
  const status = statusOf(gate);
  return h(
    "button",
    {
      type: "button",
      class: `tile ${status}`,
      "data-tile": `${network.name}/${gate.name}`,
      onclick: () => choose(network, gate.name),
      disabled: !gate.count,
    },
    h(
      "span",
      { class: "gate" },
      h("span", { class: `sign ${status}`, "aria-hidden": "true" }, SIGNS[status]),
      gate.name,
    ),
    gate.count ? figures(gate) : h("span", { class: "figure" }, gate.data.selected ? "not finished" : "not selected"),
    h("span", { class: "small" }, remarks(gate) || " "),
  );
}

/** @param {Gate} gate */
function statusOf(gate) {
  if (!gate.count) return "none";
  return gate.failed ? "fails" : "passes";
}

/** @param {Gate} gate */
function figures(gate) {
  const failing = `${counted(gate.failed)} of ${counted(gate.count)} fail`;
  return [
    h("span", { class: "figure" }, gate.failed ? failing : plural(gate.count, "passes", "pass")),
    h("span", { class: "worst" }, nearest(gate)),
  ];
}

/**
 * Say what the worst of a gate's results comes to.
 * @param {Gate} gate
 * @returns {Child}
 */
function nearest(gate) {
  const row = gate.worstRow(gate.margins.keys());
  if (row === null) return "";
  const check = gate.worstCheck(row);
  if (!check) return gate.data.problem[row] ? "not comparable" : "";
  if (check.allowed) {
    const margin = gate.margins[row];
    return [`worst ${marginText(margin)} × limit`, meter(margin, gate.failed === 0)];
  }
  if (check.measured) return `worst: ${short(check.measured)} ${UNLIKE[gate.name] ?? "elements differ"}`;
  return gate.name === "structure" ? "no difference" : "the same bits";
}

/** @param {Gate} gate */
function remarks(gate) {
  const { selected, whole } = gate.data;
  const missing = selected - gate.count;
  const parts = [];
  if (gate.count && selected < whole) parts.push(`selected ${counted(selected)} of ${counted(whole)}`);
  if (gate.count && missing > 0) parts.push(`${counted(missing)} not made`);
  parts.push(duration(gate));
  return parts.filter(Boolean).join(", ");
}

/** @param {Gate} gate */
function duration(gate) {
  if (gate.data.seconds !== null) return seconds(value(gate.data.seconds));
  return gate.name === "float32" && gate.count ? "with float64" : "";
}
