// What is plotted of one layer's values, as Vega-Lite takes it.

import { colour } from "./dom.js";
import { BINS } from "./gate.js";

/** @import { Seen } from "./gate.js" */

// A tick's number, with an exponent where it would be long.
const NUMBERS =
  "datum.value && (abs(datum.value) >= 1e5 || abs(datum.value) < 1e-3) ? format(datum.value, '.1e') : format(datum.value, '.4~f')";
// Below one, so that a bin with one element can be seen on a logarithmic scale.
const FLOOR = 0.5;

const COUNTS = {
  field: "count",
  type: "quantitative",
  scale: { type: "log", domainMin: FLOOR },
  title: "elements of the sample",
  axis: { tickCount: 4, format: "~s" },
};

/**
 * Describe how the differences are distributed.
 * @param {Seen} seen
 */
export function histogramSpec(seen) {
  return {
    data: { values: binsOf(seen) },
    mark: { type: "bar", color: colour("series-port"), binSpacing: 1 },
    encoding: {
      x: {
        field: "from",
        type: "quantitative",
        bin: { binned: true },
        title: "port − TensorFlow",
        scale: { domain: seen.scale ? [-seen.scale, seen.scale] : [-1, 1] },
        axis: { labelExpr: NUMBERS, tickCount: 5 },
      },
      x2: { field: "to" },
      y: COUNTS,
      y2: { field: "floor" },
      tooltip: [{ field: "from", format: ".3e" }, { field: "to", format: ".3e" }, { field: "count" }],
    },
  };
}

/** @param {Seen} seen */
function binsOf(seen) {
  const { counts, scale } = seen;
  // Where all values agree the bins have no width, and one has to be drawn all the same.
  const width = (2 * scale) / BINS || 1;
  const bins = counts.map((count, place) => ({
    from: -scale + place * width,
    to: -scale + (place + 1) * width,
    count,
    floor: FLOOR,
  }));
  return bins.filter((bin) => bin.count);
}

/**
 * Describe the port's values against TensorFlow's, and the line of equal ones.
 * @param {Seen} seen
 */
export function scatterSpec(seen) {
  const numbers = seen.points.flatMap((point) => [point.expected, point.port]);
  const ends = [Math.min(...numbers), Math.max(...numbers)];
  const scale = { domain: ends, nice: true, zero: false };
  const onLine = { field: "at", type: "quantitative", scale };
  return {
    layer: [
      {
        data: { values: ends.map((at) => ({ at })) },
        mark: { type: "line", color: colour("series-limit"), strokeWidth: 1 },
        encoding: { x: onLine, y: onLine },
      },
      {
        data: { values: seen.points },
        mark: { type: "point", filled: true, size: 22, opacity: 0.6, color: colour("series-port") },
        encoding: pointEncoding(scale),
      },
    ],
  };
}

/** @param {object} scale */
function pointEncoding(scale) {
  const axis = { tickCount: 5, labelExpr: NUMBERS };
  return {
    x: { field: "expected", type: "quantitative", title: "TensorFlow", scale, axis },
    y: { field: "port", type: "quantitative", title: "port", scale, axis },
    tooltip: [
      { field: "expected", format: ".4g", title: "TensorFlow" },
      { field: "port", format: ".4g" },
    ],
  };
}
