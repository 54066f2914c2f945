// What is plotted of a whole network, as Vega-Lite takes it: errors against depth.

import { colour } from "./dom.js";

/** @import { Network } from "./model.js" */

/** @typedef {"the port" | "TensorFlow" | "allowed"} Series */
/** @typedef {{ layer: number, name: string, series: Series, value: number }} Mark */

/** @type {{ [series in Series]: { colour: string, shape: string } }} */
const LOOKS = {
  "the port": { colour: "series-port", shape: "circle" },
  TensorFlow: { colour: "series-tf", shape: "cross" },
  allowed: { colour: "series-limit", shape: "stroke" },
};

/**
 * Describe points of the sides, and a line of what is allowed, which is the last of the series.
 * @param {Network} network
 * @param {Mark[]} marks
 * @param {Series[]} series
 */
export function depthSpec(network, marks, series) {
  const blocks = blockMarks(network);
  const x = depthAxis(network, blocks);
  const base = { data: { values: marks }, encoding: encoding(x, series) };
  const ofLimit = { field: "series", equal: series[series.length - 1] };
  const limit = {
    ...base,
    transform: [{ filter: ofLimit }],
    mark: { type: "line", interpolate: "step", strokeWidth: 1.2, opacity: 0.9 },
  };
  const points = {
    ...base,
    transform: [{ filter: { not: ofLimit } }],
    mark: { type: "point", filled: true, size: 18, opacity: 0.75, cursor: "pointer" },
    encoding: { ...base.encoding, shape: shapes(series) },
  };
  const rules = {
    data: { values: blocks },
    mark: { type: "rule", color: colour("rule") },
    encoding: { x: { ...x, field: "first" } },
  };
  return { layer: [rules, limit, points] };
}

/** @param {Network} network */
function blockMarks(network) {
  return [...network.blocks].map(([name, layers]) => ({
    first: layers[0],
    middle: (layers[0] + layers[layers.length - 1]) / 2,
    label: name
      .replace("cell_stem_", "stem ")
      .replace("cell_", "cell ")
      .replace("final_layer", "final")
      .replace(/^conv0.*/, ""),
  }));
}

/**
 * @param {Network} network
 * @param {{ middle: number, label: string }[]} blocks
 */
function depthAxis(network, blocks) {
  const labels = blocks.map(({ middle, label }) => `datum.value === ${middle} ? ${JSON.stringify(label)} : `);
  return {
    field: "layer",
    type: "quantitative",
    title: null,
    scale: { domain: [0, network.count], nice: false, zero: false },
    axis: {
      values: blocks.map((mark) => mark.middle),
      labelExpr: `${labels.join("")}""`,
      labelOverlap: true,
      grid: false,
      ticks: false,
      labelPadding: 6,
    },
  };
}

/**
 * @param {object} x
 * @param {Series[]} series
 */
function encoding(x, series) {
  const range = series.map((name) => colour(LOOKS[name].colour));
  const axis = { format: ".0e", tickCount: 6 };
  return {
    x,
    y: { field: "value", type: "quantitative", scale: { type: "log" }, title: "L2 distance / norm", axis },
    color: { field: "series", type: "nominal", scale: { domain: series, range }, title: null },
    tooltip: [{ field: "name", title: "layer" }, { field: "series" }, { field: "value", format: ".3e" }],
  };
}

/** @param {Series[]} series */
function shapes(series) {
  const range = series.map((name) => LOOKS[name].shape);
  return { field: "series", type: "nominal", scale: { domain: series, range }, title: null };
}
