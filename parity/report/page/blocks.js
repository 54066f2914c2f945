// A block of the network's drawing: how high it is, how it is shaded, and what stands in it.

import { svg } from "./dom.js";
import { bandOf, marginText } from "./status.js";
import { counted } from "./text.js";

/** @import { Gate } from "./gate.js" */
/** @import { Network } from "./model.js" */

/**
 * A block as it is drawn.
 * @typedef {object} Box
 * @property {string} name
 * @property {number} x
 * @property {number} height
 * @property {string} map the sides of what it gives, or how many values
 * @property {string} channels
 * @property {number} failed of its layers
 * @property {number} judged
 * @property {number} total
 * @property {number} culprits
 * @property {string} band
 * @property {number} margin of the worst of its layers
 */

export const BOX = { width: 60, gap: 16, top: 58 };

/**
 * Say how a block is drawn; it is shaded by a gate, if there is one.
 * @param {Network} network
 * @param {Gate | undefined} gate
 * @param {string} name
 * @param {number} number
 * @returns {Box}
 */
export function blockBox(network, gate, name, number) {
  const layers = network.layersOf(name);
  const shapes = network.data.layers.shape;
  const shape = shapes[layers[layers.length - 1]];
  const isMap = shape.length === 4;
  // The map behind the block; behind the last one there is none, so what enters it counts.
  const sides = (isMap ? shape : shapes[layers[0]]).slice(1, 3);
  const side = Math.max(...sides.map((length) => length ?? 1), 1);
  return {
    name,
    x: BOX.gap + number * (BOX.width + BOX.gap),
    height: 54 + 13 * Math.log2(side + 1),
    map: isMap ? `${sides[0]}×${sides[1]}` : `${shape[shape.length - 1]}`,
    channels: isMap ? `× ${shape[3]}` : "values",
    total: layers.length,
    culprits: layers.filter((layer) => network.isCulprit(layer)).length,
    ...judgedBy(gate, layers),
  };
}

/**
 * Say what a gate, if there is one, makes of a block's layers.
 * @param {Gate | undefined} gate
 * @param {number[]} layers
 */
function judgedBy(gate, layers) {
  if (!gate) return { failed: 0, judged: 0, band: bandOf(gate, null), margin: 0 };
  const rows = [];
  for (const layer of layers) {
    const row = gate.rowOf.get(layer);
    if (row !== undefined) rows.push(row);
  }
  const worst = gate.worstRow(rows);
  return {
    failed: rows.filter((row) => !gate.passed(row)).length,
    judged: rows.length,
    band: bandOf(gate, worst),
    margin: worst === null ? 0 : gate.margins[worst],
  };
}

/**
 * Draw a block, which a click opens.
 * @param {Box} box
 * @param {number} middle
 * @param {boolean} opened
 * @param {(block: string) => void} open
 */
export function drawnBox(box, middle, opened, open) {
  const top = middle - box.height / 2;
  const words = `${box.name}: ${box.judged} of ${box.total} layers judged, ${box.failed} fail, ${box.culprits} culprits`;
  return svg(
    "g",
    {
      class: `block${opened ? " opened" : ""}`,
      role: "button",
      tabindex: "0",
      "aria-pressed": opened ? "true" : "false",
      "aria-label": words,
      "data-block": box.name,
      onclick: () => open(box.name),
      onkeydown: (event) => openedByKey(event, box.name, open),
    },
    svg("title", {}, `${words}; worst at ${marginText(box.margin)} of what is allowed`),
    svg("rect", { x: box.x, y: top, width: BOX.width, height: box.height, rx: 6, class: `shade band${box.band}` }),
    inscriptions(box, middle),
    box.culprits > 0 && flag(box, middle),
  );
}

/**
 * @param {KeyboardEvent} event
 * @param {string} name
 * @param {(block: string) => void} open
 */
function openedByKey(event, name, open) {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  open(name);
}

/**
 * @param {Box} box
 * @param {number} middle
 */
function inscriptions(box, middle) {
  const x = box.x + BOX.width / 2;
  const label = box.name.replace("cell_", "cell ").replace("cell stem_", "stem ").replace("final_layer", "final");
  const tiny = `tiny on${box.band}`;
  return [
    svg("text", { x, y: middle - 14, class: `strong on${box.band}` }, label),
    svg("text", { x, y: middle + 2, class: tiny }, box.map),
    svg("text", { x, y: middle + 14, class: tiny }, box.channels),
    svg("text", { x, y: middle + 31, class: tiny }, outcome(box)),
  ];
}

/** @param {Box} box */
function outcome(box) {
  if (!box.judged) return "–";
  return box.failed ? `${counted(box.failed)} fail` : "✓";
}

/**
 * @param {Box} box
 * @param {number} middle
 */
function flag(box, middle) {
  const x = box.x + BOX.width / 2;
  const bottom = middle + box.height / 2;
  const count = box.culprits > 1 ? `× ${box.culprits}` : "";
  return svg(
    "g",
    { class: "flag" },
    svg("path", { d: `M${x} ${bottom + 5} l7 7 l-7 7 l-7 -7 z` }),
    svg("text", { x: x + 10, y: bottom + 16, class: "tiny flag-text" }, count),
  );
}
