// What was compared with what, on what.

import { h } from "./dom.js";
import { command, photograph, section } from "./parts.js";
import { moment, plural, seconds } from "./text.js";

/** @import { Child } from "./dom.js" */
/** @import { Report } from "./model.js" */
/** @import { Photograph, Provenance, Recorded, Reference, Run } from "./report.d.ts" */

/**
 * Name what the candidate is judged by.
 * @param {Report} report
 */
export function referenceName(report) {
  const { references } = report.provenance;
  const official = "the official TF-Slim PNASNet-5";
  const [first] = references;
  if (first.recorded) return `${official} as it is stored (${first.name})`;
  const names = references.map(({ name }) => (name === "official" ? official : name));
  return `${names.join(" and ")} in TensorFlow`;
}

/**
 * Say in a sentence what the figures depend on.
 * @param {Report} report
 */
export function setting(report) {
  const { versions, machine, checkpoints, images } = report.provenance;
  const weights = new Set(checkpoints.map((row) => row.name));
  const parts = [];
  if (weights.size) parts.push(`Checkpoint: ${[...weights].join(", ")}`);
  if (images.length) parts.push(plural(images.length, "photograph"));
  parts.push(`torch ${versions.torch}`, `tensorflow ${versions.tensorflow}`);
  parts.push(`${machine.cpu}, ${plural(machine.threads, "thread")}`);
  return `${parts.join("; ")}.`;
}

/**
 * Build all that the figures depend on.
 * @param {Report} report
 */
export function provenanceSection(report) {
  const { machine, references, settings, versions } = report.provenance;
  /** @type {[name: string, fact: Child][]} */
  const facts = [
    [references.length > 1 ? "References" : "Reference", references.map(referenceFact)],
    ["Checkpoint", checkpointFacts(report.provenance)],
    ["Machine", `${machine.cpu}, ${plural(machine.threads, "thread")}, ${machine.system}`],
    ["Settings", settings.join(", ")],
    ["Versions", versionFacts(versions)],
    ["Run", runFact(report.run)],
    ["Images", imageFacts(report.provenance.images)],
    ["Command", command(report.run.command)],
  ];
  const items = facts.map(([name, fact]) => h("div", {}, h("dt", {}, name), h("dd", {}, fact)));
  return section("provenance", "What was compared", "Compared", h("dl", { class: "facts" }, items));
}

/** @param {Reference} reference */
function referenceFact(reference) {
  const { name, recorded, sha256 } = reference;
  return h("div", {}, label(reference), `${name} `, digest(sha256), recorded && recording(recorded));
}

/**
 * Return the label that networks bear, where a reference's name does not tell it.
 * @param {Reference} reference
 */
function label(reference) {
  const told = reference.label === "" || reference.label === reference.name.split(":")[0];
  return told ? "" : `${reference.label}: `;
}

/**
 * Say what a stored reference was made by, and on what.
 * @param {Recorded} recorded
 */
function recording(recorded) {
  const when = recorded.created ? ` ${moment(recorded.created)}` : "";
  const made = `made from ${recorded.reference}${when} by tensorflow ${recorded.versions.tensorflow}`;
  return h("div", {}, `${made} on ${recorded.cpu}, ${plural(recorded.threads, "thread")}`);
}

/** @param {Provenance} provenance */
function checkpointFacts(provenance) {
  if (!provenance.checkpoints.length) return "none was used";
  return provenance.checkpoints.map(({ variant, name, sha256 }) =>
    h("div", {}, `${variant}: ${name} `, sha256 && digest(sha256)),
  );
}

/** @param {{ [name: string]: string }} versions */
function versionFacts(versions) {
  const texts = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return texts.join(", ");
}

/** @param {Run} run */
function runFact(run) {
  const tests = `${plural(run.tests, "test")} of pytest`;
  return `${moment(run.started)}, ${seconds(run.seconds)}, exit code ${run.exit}; ${tests}`;
}

/** @param {Photograph[]} images */
function imageFacts(images) {
  if (!images.length) return "none was used";
  const figures = images.map(({ name, networks, sha256, thumbnail }) =>
    h(
      "figure",
      {},
      photograph(thumbnail),
      h("figcaption", {}, name, h("br"), digest(sha256), h("br"), networks.join(", ")),
    ),
  );
  return h("div", { class: "thumbs" }, figures);
}

/** @param {string} sha256 */
function digest(sha256) {
  return h("code", { title: sha256, class: "digest" }, sha256.slice(0, 12));
}
