// What the gates are known to catch: the counts of docs/faults.json.

import { h } from "./dom.js";
import { scroller, section, table } from "./parts.js";
import { counted } from "./text.js";

/** @import { Report } from "./model.js" */
/** @import { FaultTable, PlantedFault } from "./report.d.ts" */

/**
 * Build the counts of planted faults; nothing where the document has none.
 * @param {Report} report
 */
export function faultSection(report) {
  const { faults } = report;
  if (!faults) return null;
  const count = counted(faults.faults.length);
  const planted = `${count} faults that conversions have, planted at ${counted(faults.trials)} places`;
  const harmless = `${counted(faults.harmless)} harmless variations`;
  return section(
    "faults",
    "What these gates catch",
    "Faults",
    h(
      "p",
      {},
      `${planted}, and ${harmless}; what simpler checks make of the same values. Not of this run: `,
      h("code", {}, "pnasnet-parity faults"),
      " measures it, and docs/faults.md has it all.",
    ),
    scroller("Checks compared", table(["Check", "Caught", "Put at the right layers", "False alarms"], checks(faults))),
    h(
      "details",
      {},
      h("summary", {}, `All ${count} faults`),
      scroller("Faults", table(["Kind", "Fault", "Caught", "Put right"], faults.faults.map(faultRow))),
    ),
  );
}

/** @param {FaultTable} faults */
function checks(faults) {
  return faults.checks.map((check, place) =>
    h(
      "tr",
      { class: place ? "" : "own" },
      h("th", { scope: "row" }, check.name),
      shareCell(check.caught, faults.trials),
      shareCell(check.localised, faults.trials),
      shareCell(check["false alarms"], faults.harmless),
    ),
  );
}

/** @param {PlantedFault} fault */
function faultRow(fault) {
  return h(
    "tr",
    {},
    h("td", {}, fault.group),
    h("td", {}, fault.name, fault.port && h("span", { class: "faint" }, ` (in ${fault.port})`)),
    shareCell(fault.caught, fault.trials),
    shareCell(fault.localised, fault.trials),
  );
}

/**
 * @param {number} count
 * @param {number} of
 */
function shareCell(count, of) {
  return h("td", { class: "number" }, `${counted(count)} of ${counted(of)}`);
}
