// What is drawn of a block: its operations, and what it takes from other blocks.

import { svg } from "./dom.js";
import { address, block } from "./names.js";
import { bandOf, marginText, statusOf, WORDS } from "./status.js";

/** @import { Gate } from "./gate.js" */
/** @import { Pill, Spot } from "./layout.js" */
/** @import { Network } from "./model.js" */
/** @import { Status } from "./status.js" */

// By the last part of a layer's name.
/** @type {{ [name: string]: string | undefined }} */
const OPERATIONS = {
  depthwise: "depthwise",
  pointwise: "pointwise",
  relu: "ReLU",
  relu_1: "ReLU",
  max_pool: "max pool",
  avg_pool: "avg pool",
  avg_pool_1: "avg pool",
  add: "sum",
  concat: "concat",
};

/**
 * Draw an operation, which leads to its page.
 * @param {Network} network
 * @param {Gate | undefined} gate by which it is shaded
 * @param {number} layer
 * @param {Spot} spot
 */
export function operation(network, gate, layer, spot) {
  const name = network.names[layer];
  const status = statusOf(gate, layer);
  const isCulprit = network.isCulprit(layer) || status === "culprit";
  const shade = bandOf(gate, gate?.rowOf.get(layer));
  const mark = isCulprit ? "◆" : failureMark(status);
  const middle = { x: spot.x + spot.width / 2 + (mark ? 6 : 0), y: spot.y + spot.height / 2 + 4 };
  return svg(
    "a",
    {
      href: address(network, layer, gate?.name),
      class: `operation${isCulprit ? " is-culprit" : ""}`,
      "data-layer": name,
    },
    svg("title", {}, `${name}: ${WORDS[status]}${share(gate, layer)}; ${network.shape(layer)}`),
    svg("rect", { x: spot.x, y: spot.y, width: spot.width, height: spot.height, rx: 4, class: `shade band${shade}` }),
    mark && svg("text", { x: spot.x + 8, y: middle.y, class: `on${shade}` }, mark),
    svg("text", { ...middle, class: `on${shade}` }, fitting(label(name), spot.width)),
  );
}

/** @param {Status} status */
function failureMark(status) {
  return status === "passes" || status === "none" ? "" : "✕";
}

/**
 * @param {Gate | undefined} gate
 * @param {number} layer
 */
function share(gate, layer) {
  const row = gate?.rowOf.get(layer);
  if (!gate || row === undefined) return "";
  return `, at ${marginText(gate.margins[row])} of what is allowed`;
}

/**
 * Say in few characters what a layer does.
 * @param {string} name
 */
function label(name) {
  const [last, before] = name.split(".").reverse();
  const text = OPERATIONS[last] ?? (/(^|_)bn(_|$)/.test(last) ? "batch norm" : last);
  const kernel = before?.match(/separable_(\d+)x(\d+)/);
  if (kernel && last === "depthwise") return `${text} ${kernel[1]}×${kernel[2]}`;
  return text.replace(/^(\d+)x(\d+)$/, "$1×$2");
}

/**
 * Cut a text to a width; a character takes about six units.
 * @param {string} text
 * @param {number} width
 */
function fitting(text, width) {
  return text.length * 6 > width - 4 ? text.slice(0, Math.max(3, Math.floor((width - 8) / 6))) : text;
}

/**
 * Draw what a block takes from another, which leads to that layer's page.
 * @param {Network} network
 * @param {Pill} pill
 */
export function inputPill(network, pill) {
  const { x, y, width, height, layer } = pill;
  const name = layer < 0 ? "images" : network.names[layer];
  const box = [
    svg("rect", { x, y, width, height, rx: height / 2, class: "pill" }),
    svg("text", { x: x + width / 2, y: y + height / 2 + 4 }, fitting(block(name), width)),
  ];
  if (layer < 0) return svg("g", {}, box);
  return svg("a", { href: address(network, layer) }, svg("title", {}, `from ${name}`), box);
}
