// The network as it is: blocks from left to right, each with the edges that its layers' inputs make.

import { BOX, blockBox, drawnBox } from "./blocks.js";
import { svg } from "./dom.js";
import { block } from "./names.js";
import { scroller } from "./parts.js";

/** @import { Box } from "./blocks.js" */
/** @import { Network } from "./model.js" */

/**
 * Draw a network, shaded by a gate; a click on a block opens it.
 * @param {Network} network
 * @param {string} gateName
 * @param {string} opened
 * @param {(block: string) => void} open
 */
export function networkDrawing(network, gateName, opened, open) {
  const gate = network.gate.get(gateName);
  const boxes = [...network.blocks.keys()].map((name, number) => blockBox(network, gate, name, number));
  const most = Math.max(...boxes.map((box) => box.height));
  const middle = BOX.top + most / 2;
  const width = boxes.length * (BOX.width + BOX.gap) + BOX.gap;
  const height = BOX.top + most + 30;
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      style: `min-width:${Math.round(width * 0.86)}px`,
      class: "network",
      role: "group",
      "aria-label": `${network.name}: blocks, shaded by the ${gateName} gate`,
    },
    blockEdges(network).map(([from, to]) => drawnEdge(from, to, middle, boxes)),
    boxes.map((box) => drawnBox(box, middle, box.name === opened, open)),
  );
  return scroller(`Drawing of ${network.name}`, picture);
}

/**
 * Return the blocks, by their places, of which one feeds the other.
 * @param {Network} network
 */
function blockEdges(network) {
  const places = new Map([...network.blocks.keys()].map((name, place) => [name, place]));
  const placeOf = (/** @type {number} */ layer) => places.get(block(network.names[layer])) ?? 0;
  /** @type {Map<string, [from: number, to: number]>} */
  const edges = new Map();
  network.data.layers.inputs.forEach((inputs, layer) => {
    for (const input of inputs.filter((one) => one >= 0)) {
      const from = placeOf(input);
      const to = placeOf(layer);
      if (from !== to) edges.set(`${from} ${to}`, [from, to]);
    }
  });
  return [...edges.values()];
}

/**
 * Draw an edge: to the next block straight, past others in an arc above them.
 * @param {number} from
 * @param {number} to
 * @param {number} middle
 * @param {Box[]} boxes
 */
function drawnEdge(from, to, middle, boxes) {
  const one = boxes[from];
  const other = boxes[to];
  if (to === from + 1) {
    return svg("path", { class: "edge", d: `M${one.x + BOX.width} ${middle} H${other.x}`, "marker-end": "" });
  }
  const passed = boxes.slice(from, to + 1).map((box) => box.height);
  const rise = Math.max(one.height, other.height, ...passed) / 2 + 14 + 7 * (to - from - 2);
  const start = one.x + BOX.width - 14;
  const end = other.x + 14;
  const high = Math.max(8, middle - rise - 18);
  const above = `C${start + 6} ${high} ${end - 6} ${high}`;
  return svg("path", {
    class: "edge skip-edge",
    d: `M${start} ${middle - one.height / 2} ${above} ${end} ${middle - other.height / 2}`,
  });
}
