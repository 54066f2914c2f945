// The network and its error by depth, of the network and by the gate that are chosen.

import { cellDrawing } from "./cell.js";
import { h } from "./dom.js";
import { APART } from "./gate.js";
import { growth } from "./growth.js";
import { block } from "./names.js";
import { networkDrawing } from "./network.js";
import { choice } from "./parts.js";

/** @import { Network, Report } from "./model.js" */

export class Explorer {
  /** @param {Report} report */
  constructor(report) {
    this.report = report;
    this.network = firstNetwork(report);
    const gates = drawnGates(this.network);
    this.gate = (gates.find((gate) => gate.failed) ?? gates[gates.length - 1])?.name ?? "";
    this.block = interesting(this.network, this.gate);
    this.tools = h("div", { class: "tools" });
    this.drawing = h("div");
    this.plots = h("div");
    this.redraw();
  }
  /**
   * @param {Network} network
   * @param {string} gate
   */
  choose(network, gate) {
    this.network = network;
    this.gate = gate;
    this.redraw();
  }
  /** Draw all anew, for another network. */
  redraw() {
    this.redrawGate();
    this.plots.replaceChildren(...growth(this.network));
  }
  /** Draw anew what depends on the gate and the block. */
  redrawGate() {
    const gates = drawnGates(this.network).map((gate) => gate.name);
    if (!gates.includes(this.gate)) this.gate = gates[gates.length - 1] ?? "";
    if (!this.network.blocks.has(this.block)) this.block = interesting(this.network, this.gate);
    this.tools.replaceChildren(this.networkChoice(), this.gateChoice(gates));
    if (this.network.count && gates.length) this.drawNetwork();
    else this.drawing.replaceChildren(h("p", { class: "empty" }, "No layer of this network was judged."));
  }
  networkChoice() {
    const names = this.report.networks.map((network) => network.name);
    return choice("Network", "draw-network", optionsOf(names), this.network.name, (name) => {
      this.network = this.report.network.get(name) ?? this.network;
      this.redraw();
    });
  }
  /** @param {string[]} gates */
  gateChoice(gates) {
    return choice("Gate", "draw-gate", optionsOf(gates), this.gate, (gate) => {
      this.gate = gate;
      this.redrawGate();
    });
  }
  drawNetwork() {
    const remark = h("span", { class: "small" }, "  each operation opens its page");
    replaceScrolled(
      this.drawing,
      networkDrawing(this.network, this.gate, this.block, (name) => this.open(name)),
      h("h3", { class: "opened-title" }, this.block, remark),
      cellDrawing(this.network, this.gate, this.block),
    );
  }
  /**
   * Open a block, which stays in focus.
   * @param {string} name
   */
  open(name) {
    this.block = name;
    this.redrawGate();
    /** @type {SVGElement | null} */
    const box = this.drawing.querySelector(`[data-block="${CSS.escape(name)}"]`);
    box?.focus({ preventScroll: true });
  }
}

/**
 * Choose the first network that fails, else the first with layers.
 * @param {Report} report
 */
function firstNetwork(report) {
  const fails = (/** @type {Network} */ network) =>
    network.gates.some((gate) => gate.failed && gate.name !== "preprocess");
  return report.networks.find(fails) ?? report.networks.find((network) => network.count) ?? report.networks[0];
}

/**
 * Return the gates that judged layers of the network.
 * @param {Network} network
 */
function drawnGates(network) {
  return network.gates.filter((gate) => gate.count && !APART.includes(gate.name));
}

/**
 * Return the block of the first culprit; where there is none, of the layer that comes nearest to what the gate allows.
 * @param {Network} network
 * @param {string} gateName
 */
function interesting(network, gateName) {
  const culprit = network.firstCulprit();
  if (culprit !== undefined && culprit < network.count) return block(network.names[culprit]);
  const worst = worstLayer(network, gateName);
  if (worst !== null) return block(network.names[worst]);
  return [...network.blocks.keys()][0] ?? "";
}

/**
 * @param {Network} network
 * @param {string} gateName
 */
function worstLayer(network, gateName) {
  const gate = network.gate.get(gateName);
  if (!gate) return null;
  const layers = [...gate.rowOf].filter(([layer]) => layer < network.count);
  const worst = gate.worstRow(layers.map(([, row]) => row));
  return worst === null ? null : gate.data.name[worst];
}

/**
 * @param {string[]} names
 * @returns {[key: string, text: string][]}
 */
function optionsOf(names) {
  return names.map((name) => [name, name]);
}

/**
 * Replace what an element holds, and leave its scrolled parts where they were.
 * @param {Element} element
 * @param {...Node} children
 */
function replaceScrolled(element, ...children) {
  const lefts = [...element.querySelectorAll(".scroller")].map((part) => part.scrollLeft);
  element.replaceChildren(...children);
  element.querySelectorAll(".scroller").forEach((part, place) => {
    part.scrollLeft = lefts[place] ?? 0;
  });
}
