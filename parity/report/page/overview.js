// All sections of the page but those of single layers.

import { banner, beginnings } from "./banner.js";
import { byId, h } from "./dom.js";
import { Explorer } from "./explorer.js";
import { faultSection } from "./faults.js";
import { APART } from "./gate.js";
import { imagenetSection } from "./imagenet.js";
import { section } from "./parts.js";
import { pixelSection } from "./pixels.js";
import { provenanceSection } from "./provenance.js";
import { legend } from "./status.js";
import { ResultTable } from "./table.js";
import { tiles } from "./tiles.js";

/** @import { Network, Report } from "./model.js" */

const BLOCKS =
  "Each block is shaded by the worst of its layers. A solid edge leads to the next block, a dashed one past it.";
const DEPTH = "Layer by layer in the network's order; numbers are cells. A click on a point opens its layer.";

/** @typedef {{ element: HTMLElement, table: ResultTable }} Overview */

/**
 * Build the overview.
 * @param {Report} report
 * @returns {Overview}
 */
export function overview(report) {
  const table = new ResultTable(report);
  const explorer = new Explorer(report);
  const element = h(
    "div",
    { class: "overview" },
    banner(report),
    tiles(report, (network, gate) => chosen(explorer, table, network, gate)),
    beginnings(report),
    provenanceSection(report),
    explored(report, explorer),
    section("layers", "All results", "Results", table.element),
    pixelSection(report),
    imagenetSection(report),
    faultSection(report),
  );
  return { element, table };
}

/**
 * @param {Report} report
 * @param {Explorer} explorer
 */
function explored(report, explorer) {
  if (!report.networks.some((network) => network.count > 0)) return null;
  const { drawing, plots, tools } = explorer;
  return [
    section("network", "The network", "Network", h("p", {}, BLOCKS), tools, legend(), drawing),
    section("growth", "How the error grows", "Error", h("p", {}, DEPTH), plots),
  ];
}

/**
 * Show a gate's results, once its tile is clicked.
 * @param {Explorer} explorer
 * @param {ResultTable} table
 * @param {Network} network
 * @param {string} gate
 */
function chosen(explorer, table, network, gate) {
  explorer.choose(network, gate);
  table.choose({ network: network.name, gate, status: network.gate.get(gate)?.failed ? "failed" : "" });
  const isDrawn = network.count > 0 && !APART.includes(gate);
  byId(isDrawn ? "network" : "layers").scrollIntoView({ behavior: "smooth" });
}
