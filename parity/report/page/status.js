// How a result looks: a sign and a word for its ending, a shade for the margin. No meaning is in a colour alone.

import { h } from "./dom.js";
import { short } from "./text.js";

/** @import { Ending, Gate } from "./gate.js" */

/** @typedef {Ending | "none"} Status of something that may not be judged */

/** @type {{ [status in Status]: string }} */
export const SIGNS = { passes: "✓", culprit: "◆", fails: "✕", downstream: "↓", repeated: "↻", none: "·" };
/** @type {{ [status in Status]: string }} */
export const WORDS = {
  passes: "passes",
  culprit: "culprit",
  fails: "fails",
  downstream: "downstream",
  repeated: "fails again",
  none: "not judged",
};
/** @type {{ [status in Status]?: string }} */
const MEANINGS = {
  culprit: "fails while every layer that feeds it passes",
  downstream: "fails behind a culprit",
  repeated: "failed a stronger gate already",
};
// Shades, each up to this share of what is allowed.
/** @type {[most: number, words: string][]} */
const BANDS = [
  [0, "0"],
  [0.01, "to 1 %"],
  [0.3, "to 30 %"],
  [0.6, "to 60 %"],
  [1, "to 100 %"],
  [1000, "fails: beyond"],
  [Infinity, "fails: over 1,000 times"],
];
const BEYOND = 5;
const FAR_BEYOND = 6;
// What is allowed lies here on a meter, in per cent of its width; each decade beyond takes so much more.
const LIMIT = 60;
const DECADE = 10;

/**
 * Build the sign and the word of a status.
 * @param {Status} status
 */
export function sign(status) {
  const mark = h("span", { "aria-hidden": "true" }, SIGNS[status]);
  return h("span", { class: `sign ${status}`, title: MEANINGS[status] }, mark, ` ${WORDS[status]}`);
}

/**
 * Return the status of a layer by a gate, of which either may be missing.
 * @param {Gate | undefined} gate
 * @param {number} layer
 * @returns {Status}
 */
export function statusOf(gate, layer) {
  const row = gate?.rowOf.get(layer);
  return gate === undefined || row === undefined ? "none" : gate.ending(row);
}

/**
 * Return the shade of a row, as the classes of style.css call it.
 * @param {Gate | undefined} gate
 * @param {number | null | undefined} row
 */
export function bandOf(gate, row) {
  if (gate === undefined || row === null || row === undefined) return "none";
  return String(band(gate.margins[row], gate.passed(row)));
}

/**
 * @param {number} margin
 * @param {boolean} passed
 */
function band(margin, passed) {
  // What has no margin, or one that does not tell why, fails all the same.
  if (!passed && !(margin > 1)) return BEYOND;
  const place = BANDS.findIndex(([most]) => margin <= most);
  return place < 0 || margin === Infinity ? FAR_BEYOND : place;
}

/** Build the key to the shades. */
export function legend() {
  return h(
    "ul",
    { class: "legend", "aria-label": "Shades: what was measured, as a share of what is allowed" },
    h("li", {}, "of what is allowed:"),
    BANDS.map(([, text], place) => h("li", {}, h("span", { class: `swatch band${place}` }), text)),
    h("li", {}, h("span", { class: "swatch bandnone" }), "not judged"),
    h("li", {}, h("span", { class: "sign culprit" }, "◆"), "culprit"),
  );
}

/**
 * Build a bar that shows a margin against what is allowed.
 * @param {number} margin
 * @param {boolean} passed
 */
export function meter(margin, passed) {
  return h(
    "span",
    { class: "meter", "aria-hidden": "true" },
    h("span", { class: passed ? "fill" : "fill over", style: `width:${filled(margin)}%` }),
    h("span", { class: "limit" }),
  );
}

/**
 * Return how much of a meter is filled, in per cent.
 * @param {number} margin
 */
function filled(margin) {
  if (margin <= 0) return 0;
  if (margin <= 1) return Math.max(1, margin * LIMIT);
  if (!Number.isFinite(margin)) return 100;
  return Math.min(100, LIMIT + DECADE * Math.log10(margin) + 2);
}

/**
 * Write a margin.
 * @param {number} margin
 */
export function marginText(margin) {
  if (margin === Infinity || Number.isNaN(margin)) return "∞";
  if (margin >= 1e4) return margin.toExponential(1).replace("+", "");
  return margin === 0 ? "0" : short(Number(margin.toPrecision(3)));
}
