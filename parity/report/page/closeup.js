// A layer from close by: pictures of the channel with the largest difference, and the worst elements.

import { h } from "./dom.js";
import { value } from "./numbers.js";
import { scroller, table } from "./parts.js";
import { short } from "./text.js";

/** @import { CloseupData, ValueMap } from "./columns.d.ts" */
/** @import { Gate } from "./gate.js" */

/** @typedef {"port" | "expected" | "difference"} Kind */

/**
 * Build the maps and the worst elements of a layer.
 * @param {Gate} gate
 * @param {CloseupData} closeup
 */
export function closeupView(gate, closeup) {
  const rows = closeup.worst.map(([index, port, expected]) => {
    const texts = [`[${index.join(", ")}]`, port, expected, short(Number(port) - Number(expected))];
    const cells = texts.map((text) => h("td", { class: "number" }, text));
    return h("tr", {}, cells);
  });
  return h(
    "div",
    {},
    mapsView(gate, closeup),
    h("h3", {}, "Worst elements"),
    scroller("Worst elements", table(["Index", "Port", "TensorFlow", "Difference"], rows)),
  );
}

/**
 * @param {Gate} gate
 * @param {CloseupData} closeup
 */
function mapsView(gate, closeup) {
  const { port, expected, difference } = closeup.maps;
  const [at] = closeup.worst[0];
  const figures = [];
  if (port) figures.push(mapFigure("Port", port, "port", at));
  const truth = gate.name === "float32" ? "TensorFlow (float64)" : "TensorFlow";
  if (expected) figures.push(mapFigure(truth, expected, "expected", at));
  if (difference) figures.push(mapFigure("Port − TensorFlow", difference, "difference", at));
  if (!figures.length) return null;
  const title = h("h3", {}, `Channel ${at[3]}, where the largest difference is`);
  return h("div", {}, title, h("div", { class: "maps" }, figures));
}

/**
 * @param {string} title
 * @param {ValueMap} map
 * @param {Kind} kind
 * @param {number[]} at index of the worst element (NHWC)
 */
function mapFigure(title, map, kind, at) {
  const { width, height, png } = map;
  const low = short(value(map.low));
  const high = short(value(map.high));
  const alt = `${title}: ${width} × ${height} values from ${low} to ${high}`;
  const isDifference = kind === "difference";
  return h(
    "figure",
    { class: "map" },
    h("figcaption", {}, title),
    h("div", { class: "frame" }, h("img", { src: `data:image/png;base64,${png}`, alt, width, height }), spot(map, at)),
    h("div", { class: `scale ${isDifference ? "scale-difference" : "scale-values"}` }),
    h("div", { class: "ends" }, h("span", {}, low), isDifference && h("span", {}, "0"), h("span", {}, high)),
  );
}

/**
 * @param {ValueMap} map
 * @param {number[]} at
 */
function spot(map, at) {
  const [, row, column] = at;
  const left = (100 * (column + 0.5)) / map.width;
  const top = (100 * (row + 0.5)) / map.height;
  return h("span", {
    class: "spot",
    title: `the largest difference: row ${row}, column ${column}`,
    style: `left:${left}%;top:${top}%`,
  });
}
