// How errors grow with depth: a plot for each gate that measures rounding.

import { depthSpec } from "./depth.js";
import { h } from "./dom.js";
import { address } from "./names.js";
import { value } from "./numbers.js";
import { plot } from "./plots.js";

/** @import { Mark, Series } from "./depth.js" */
/** @import { Gate } from "./gate.js" */
/** @import { Network } from "./model.js" */

/** @typedef {(network: Network, gate: Gate) => Mark[]} MarksOf */

/** @type {{ [gate: string]: string }} */
const IN_FLOAT32 = {
  float32: "Each side's own distance from the float64 values, in float32",
  "training-float32": "In training, each side's own distance from the float64 values, in float32",
  "gradient-float32": "Each gradient alone: each side's own distance from float64, in float32",
};
/** @type {{ [gate: string]: string }} */
const IN_FLOAT64 = {
  float64: "The port's distance from TensorFlow, both in float64",
  training: "In training, the port's distance from TensorFlow, both in float64",
  gradient: "The gradient's distance from TensorFlow's, both in float64",
};
/**
 * Build the plots of a network; a click on a point opens its layer.
 * @param {Network} network
 * @returns {HTMLElement[]}
 */
export function growth(network) {
  const figures = [
    ...figuresOf(network, IN_FLOAT32, float32Marks, ["the port", "TensorFlow", "allowed"], 280),
    ...figuresOf(network, IN_FLOAT64, float64Marks, ["the port", "allowed"], 200),
  ];
  if (figures.length) return figures;
  return [h("p", { class: "empty" }, "No gate that measures rounding was run on this network.")];
}

/**
 * @param {Network} network
 * @param {{ [gate: string]: string }} titles
 * @param {MarksOf} marksOf
 * @param {Series[]} series
 * @param {number} height
 */
function figuresOf(network, titles, marksOf, series, height) {
  const figures = [];
  for (const [name, title] of Object.entries(titles)) {
    const gate = network.gate.get(name);
    const marks = gate ? marksOf(network, gate) : [];
    if (marks.length) figures.push(figure(network, name, title, height, () => depthSpec(network, marks, series)));
  }
  return figures;
}

/**
 * @param {Network} network
 * @param {string} gate
 * @param {string} title
 * @param {number} height
 * @param {() => object} spec
 */
function figure(network, gate, title, height, spec) {
  const label = `${title}, relative to the values' norm, by depth`;
  const drawing = plot(label, height, spec, ({ layer }) => {
    if (layer !== undefined) location.hash = address(network, layer, gate);
  });
  return h("div", {}, h("h3", {}, title), drawing);
}

/**
 * Return both sides' own distance from float64, relative to the values' norm, and what is allowed.
 * @type {MarksOf}
 */
function float32Marks(network, gate) {
  /** @type {Mark[]} */
  const marks = [];
  gate.data.name.forEach((layer, row) => {
    const norm = gate.data.norm[row];
    const official = gate.data.official[row];
    const [check] = gate.checks(row);
    if (layer >= network.count || !norm || !check) return;
    const of = { layer, name: network.names[layer] };
    marks.push({ ...of, series: "the port", value: check.measured / value(norm) });
    if (official !== null) marks.push({ ...of, series: "TensorFlow", value: value(official) / value(norm) });
    marks.push({ ...of, series: "allowed", value: check.allowed / value(norm) });
  });
  return marks.filter((mark) => mark.value > 0 && Number.isFinite(mark.value));
}

/**
 * Return the port's distance from TensorFlow, and what is allowed.
 * @type {MarksOf}
 */
function float64Marks(network, gate) {
  /** @type {Mark[]} */
  const marks = [];
  gate.data.name.forEach((layer, row) => {
    const [check] = gate.checks(row);
    if (layer >= network.count || !check) return;
    const of = { layer, name: network.names[layer] };
    // A logarithmic scale has no place for other numbers.
    if (check.measured > 0 && Number.isFinite(check.measured)) {
      marks.push({ ...of, series: "the port", value: check.measured });
    }
    marks.push({ ...of, series: "allowed", value: check.allowed });
  });
  return marks;
}
