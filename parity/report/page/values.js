// What was seen of a layer's values in one gate: how they differ, and how they look.

import { histogramSpec, scatterSpec } from "./charts.js";
import { closeupView } from "./closeup.js";
import { h } from "./dom.js";
import { APART } from "./gate.js";
import { command, list } from "./parts.js";
import { plot } from "./plots.js";
import { counted, quoted } from "./text.js";

/** @import { WorstElement } from "./columns.d.ts" */
/** @import { Gate, Seen } from "./gate.js" */
/** @import { Report } from "./model.js" */

// As parity/report/measure.py has it: so many elements stand for a layer.
const SAMPLE = 4096;
const HEIGHT = 210;

/**
 * Build what one gate says of a layer, beyond its checks.
 * @param {Report} report
 * @param {Gate} gate
 * @param {number} row
 */
export function gateView(report, gate, row) {
  const { element, explained, notes } = gate.data;
  const seen = gate.seen(row);
  const why = explained[row];
  const worst = element[row];
  return h(
    "div",
    { class: "gate-panel", role: "tabpanel", "data-gate": gate.name },
    why && h("p", {}, `Fails the ${gate.name} gate ${why[1]}.`),
    list("notes", notes[row] ?? []),
    worst && h("p", {}, described(worst)),
    seen ? seenPlots(gate, seen) : nothingSeen(gate, row),
    seen?.closeup && closeupView(gate, seen.closeup),
    repetition(report, gate.test(row)),
  );
}

/** @param {WorstElement} element */
function described(element) {
  const { actual, exceeding, expected, index, size } = element;
  const values = `Worst element [${index.join(", ")}]: port ${actual}, expected ${expected}`;
  return `${values}; ${counted(exceeding)} of ${counted(size)} exceed.`;
}

/**
 * @param {Gate} gate
 * @param {number} row
 */
function nothingSeen(gate, row) {
  if (gate.name === "structure" || APART.includes(gate.name)) return null;
  const isSame = gate.passed(row) && gate.name.startsWith("exact");
  const same = "Every element is the same to the last bit: there is no difference to show.";
  return h("p", { class: "empty" }, isSame ? same : "Nothing was kept of its values.");
}

/**
 * @param {Report} report
 * @param {string | undefined} test
 */
function repetition(report, test) {
  if (!test) return null;
  const words = ["pytest", quoted(test), report.run.arguments].filter(Boolean);
  return h("div", {}, h("h3", {}, "To repeat just this"), command(words.join(" ")));
}

/**
 * @param {Gate} gate
 * @param {Seen} seen
 */
function seenPlots(gate, seen) {
  const drawn = `${counted(SAMPLE)} of ${counted(seen.size)} elements, drawn at random`;
  const sample = seen.size > SAMPLE ? drawn : `all ${counted(seen.size)} elements`;
  const truth = gate.name === "float32" ? "; TensorFlow in float64" : "";
  return h(
    "div",
    { class: "pair" },
    h(
      "div",
      {},
      h("h3", {}, "Differences"),
      h("p", { class: "small" }, `${sample}; counts on a logarithmic scale`),
      plot("Histogram of the differences", HEIGHT, () => histogramSpec(seen)),
    ),
    h(
      "div",
      {},
      h("h3", {}, "Port against TensorFlow"),
      h("p", { class: "small" }, `${seen.points.length} elements${truth}; equal ones lie on the line`),
      plot("The port's values against TensorFlow's", HEIGHT, () => scatterSpec(seen)),
    ),
  );
}
