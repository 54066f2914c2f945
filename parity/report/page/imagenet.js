// The evaluation on ImageNet: accuracies, and the images on which the sides disagree.

import { h } from "./dom.js";
import { value } from "./numbers.js";
import { list, photograph, scroller, section, table } from "./parts.js";
import { counted, plural, short } from "./text.js";

/** @import { Base64 } from "./columns.d.ts" */
/** @import { Agreement, Disagreement, EvaluatedNetwork, Proportion } from "./evaluation.d.ts" */
/** @import { Report } from "./model.js" */

// So many images are shown of those on which the sides disagree.
const SHOWN = 60;
const SIDES = /** @type {const} */ ({ official: "TensorFlow", port: "PyTorch port" });
const HEADINGS = ["Network", "Model", "Images", "Top-1 %", "95 % interval", "Top-5 %", "95 % interval"];

/**
 * Build what an evaluation came to; nothing where there was none.
 * @param {Report} report
 */
export function imagenetSection(report) {
  const evaluation = report.imagenet;
  if (!evaluation?.networks.length) return null;
  const lines = evaluation.header.map((line) => line.replace(/^imagenet: /, ""));
  return section(
    "imagenet",
    "On ImageNet",
    "ImageNet",
    list("notes", lines),
    scroller("Accuracies", table(HEADINGS, evaluation.networks.flatMap(accuracyRows))),
    evaluation.networks.map((network) => agreementView(network, evaluation.thumbnails)),
  );
}

/** @param {EvaluatedNetwork} network */
function accuracyRows(network) {
  const rows = [];
  for (const side of /** @type {const} */ (["official", "port"])) {
    const accuracies = network[side];
    if (!accuracies) continue;
    const { top_1, top_5 } = accuracies;
    rows.push(
      h(
        "tr",
        {},
        h("td", {}, network.network),
        h("td", {}, SIDES[side]),
        h("td", { class: "number" }, counted(network.evaluated)),
        accuracyCells(top_1),
        accuracyCells(top_5),
      ),
    );
  }
  return rows;
}

/** @param {Proportion} proportion */
function accuracyCells(proportion) {
  const ends = proportion.wilson_95.map((share) => (100 * value(share)).toFixed(2));
  return [
    h("td", { class: "number" }, value(proportion.percent).toFixed(3)),
    h("td", { class: "number faint" }, ends.join(" to ")),
  ];
}

/**
 * @param {EvaluatedNetwork} network
 * @param {{ [image: string]: Base64 | undefined }} thumbnails
 */
function agreementView(network, thumbnails) {
  if (!isCompared(network)) return null;
  const { disagreements, failures } = network;
  const figures = disagreements.slice(0, SHOWN).map((row) => disagreementFigure(row, thumbnails[row.name]));
  const more = disagreements.length - figures.length;
  return h(
    "div",
    {},
    h("h3", {}, network.network),
    h("p", {}, sameClasses(network), logits(network)),
    figures.length > 0 && h("div", { class: "flips" }, figures),
    more > 0 && h("p", { class: "small" }, `and ${counted(more)} more, in report.json`),
    list(
      "notes",
      failures.map((row) => `${row.name} ${row.problem}`),
    ),
  );
}

/**
 * @param {EvaluatedNetwork} network
 * @returns {network is EvaluatedNetwork & Agreement}
 */
function isCompared(network) {
  return network.same_best_class !== undefined;
}

/** @param {Agreement} agreement */
function sameClasses({ flips, same_best_class }) {
  const parts = Object.entries(flips).map(([rank, row]) => {
    const alone = `${counted(row.official_only)} right in TensorFlow alone, ${counted(row.port_only)} in the port alone`;
    return `${rank.replace("_", "-")}: ${alone} (McNemar p = ${short(value(row.mcnemar_p))})`;
  });
  const same = `${counted(same_best_class.correct)} of ${counted(same_best_class.count)} images`;
  return `The same best class on ${same}. ${parts.join("; ")}. `;
}

/** @param {Agreement} agreement */
function logits({ largest_logit_difference, official_error }) {
  const { largest, measured_on } = official_error;
  const own = short(largest === null ? null : value(largest));
  const difference = `Largest logit difference ${short(value(largest_logit_difference))}`;
  return `${difference}; TensorFlow's own from float64 ${own}, on ${plural(measured_on, "image")}.`;
}

/**
 * @param {Disagreement} row
 * @param {Base64 | undefined} thumbnail
 */
function disagreementFigure(row, thumbnail) {
  const [official, port] = row.correct;
  const sides = [
    `top-${row.rank}, label ${row.label}: TensorFlow ${row.official.classes[0]} (${rightness(official)})`,
    `the port ${row.port.classes[0]} (${rightness(port)}); margin ${short(value(row.margin))}`,
  ];
  return h(
    "figure",
    { class: "flip" },
    photograph(thumbnail),
    h("figcaption", {}, h("strong", {}, row.name), h("br"), sides.join(", ")),
  );
}

/** @param {boolean} isRight */
function rightness(isRight) {
  return isRight ? "right" : "wrong";
}
