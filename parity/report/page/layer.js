// A layer's own page: what every gate says of it, what was seen of its values, and what it is connected with.

import { h } from "./dom.js";
import { shareOf } from "./gate.js";
import { address, block, broken } from "./names.js";
import { scroller, table } from "./parts.js";
import { marginText, meter, SIGNS, sign, statusOf, WORDS } from "./status.js";
import { story } from "./story.js";
import { short } from "./text.js";
import { gateView } from "./values.js";

/** @import { Child } from "./dom.js" */
/** @import { Check, Gate } from "./gate.js" */
/** @import { Network, Report } from "./model.js" */

/** @typedef {{ gate: Gate, row: number }} Judged the layer's row by a gate */

/**
 * Build a layer's page, on which a gate is opened.
 * @param {Report} report
 * @param {Network} network
 * @param {number} number
 * @param {string | undefined} gateName
 */
export function layerPage(report, network, number, gateName) {
  const judged = judgedBy(network, number);
  const chosen = chosenOf(judged, gateName);
  const name = network.names[number];
  const isLayer = number < network.count;
  return h(
    "article",
    { class: "layer", "aria-labelledby": "layer-title" },
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Report"), " › ", network.name, " › ", block(name)),
    h("h1", { id: "layer-title", tabindex: "-1" }, broken(name)),
    isLayer && h("p", { class: "lead" }, `${network.data.layers.kind[number]}, ${network.shape(number)}`),
    steps(network, number, chosen?.gate.name),
    story(network, number),
    isLayer && connections(network, number, chosen?.gate.name),
    h("h2", {}, "What the gates say"),
    judged.length ? gateTable(judged) : h("p", { class: "empty" }, "No gate judged this layer in this run."),
    chosen &&
      h(
        "div",
        { class: "gate-view" },
        tabs(network, number, judged, chosen),
        gateView(report, chosen.gate, chosen.row),
      ),
  );
}

/**
 * @param {Network} network
 * @param {number} number
 */
function judgedBy(network, number) {
  /** @type {Judged[]} */
  const judged = [];
  for (const gate of network.gates) {
    const row = gate.rowOf.get(number);
    if (row !== undefined) judged.push({ gate, row });
  }
  return judged;
}

/**
 * Choose the gate that is asked for, else the first that fails, else the last of which there is something to see.
 * @param {Judged[]} judged
 * @param {string | undefined} gateName
 * @returns {Judged | undefined}
 */
function chosenOf(judged, gateName) {
  const seen = judged.filter(({ gate, row }) => gate.seenOf.has(row));
  return (
    judged.find(({ gate }) => gate.name === gateName) ??
    judged.find(({ gate, row }) => !gate.passed(row)) ??
    seen[seen.length - 1] ??
    judged[0]
  );
}

/**
 * @param {Network} network
 * @param {number} number
 * @param {Judged[]} judged
 * @param {Judged} chosen
 */
function tabs(network, number, judged, chosen) {
  const links = judged.map((one) => {
    const isChosen = one === chosen ? "true" : "false";
    const href = address(network, number, one.gate.name);
    return h("a", { role: "tab", "aria-selected": isChosen, href }, one.gate.name);
  });
  return h("div", { class: "tabs", role: "tablist", "aria-label": "Gate" }, links);
}

/**
 * Build the links to the neighbours in the network's order.
 * @param {Network} network
 * @param {number} number
 * @param {string | undefined} gate
 */
function steps(network, number, gate) {
  /**
   * @param {number} to
   * @param {string} text
   */
  const link = (to, text) => {
    const name = network.names[to];
    if (name === undefined) return h("span", { class: "faint" }, text);
    return h("a", { href: address(network, to, gate), title: name }, text);
  };
  return h("p", { class: "steps" }, link(number - 1, "← previous"), " ", link(number + 1, "next →"));
}

/**
 * Build the layers that this one takes and feeds.
 * @param {Network} network
 * @param {number} number
 * @param {string | undefined} gate by which they are marked
 */
function connections(network, number, gate) {
  /**
   * @param {string} title
   * @param {number[]} layers
   * @param {string} none
   */
  const row = (title, layers, none) => {
    const chips = layers.map((layer) => chip(network, layer, gate));
    const content = chips.length ? chips : none;
    return h("div", { class: "connection" }, h("h3", {}, title), h("div", { class: "chips" }, content));
  };
  return h(
    "div",
    { class: "connections" },
    row("Takes", network.data.layers.inputs[number], "nothing"),
    row("Feeds", network.consumers[number], "nothing: it is the output"),
  );
}

/**
 * @param {Network} network
 * @param {number} layer
 * @param {string | undefined} gateName
 */
function chip(network, layer, gateName) {
  if (layer < 0) return h("span", { class: "chip" }, "images");
  const gate = gateName === undefined ? undefined : network.gate.get(gateName);
  const status = statusOf(gate, layer);
  return h(
    "a",
    { class: `chip ${status}`, href: address(network, layer, gateName), title: WORDS[status] },
    h("span", { class: `sign ${status}`, "aria-hidden": "true" }, SIGNS[status]),
    " ",
    broken(network.names[layer]),
  );
}

/** @param {Judged[]} judged */
function gateTable(judged) {
  const rows = judged.flatMap(({ gate, row }) => gateRows(gate, row));
  return scroller("Checks", table(["Gate", "Check", "Measured", "Allowed", "Share"], rows));
}

/**
 * @param {Gate} gate
 * @param {number} row
 */
function gateRows(gate, row) {
  const problem = gate.data.problem[row];
  /** @type {Child[][]} */
  const lines = gate.checks(row).map(checkCells);
  if (problem) lines.unshift([h("td", { colspan: 4, class: "problem" }, problem)]);
  const head = h(
    "th",
    { scope: "rowgroup", rowspan: Math.max(1, lines.length) },
    gate.name,
    h("br"),
    sign(gate.ending(row)),
  );
  return lines.map((cells, place) => h("tr", {}, place === 0 && head, cells));
}

/** @param {Check} check */
function checkCells(check) {
  const share = shareOf(check);
  const bar = meter(share, check.measured <= check.allowed);
  return [
    h("td", {}, check.name),
    h("td", { class: "number" }, short(check.measured)),
    h("td", { class: "number" }, short(check.allowed)),
    h("td", {}, h("span", { class: "number" }, marginText(share)), " ", bar),
  ];
}
