// The pixels that enter the networks.

import { h } from "./dom.js";
import { address } from "./names.js";
import { scroller, section, table } from "./parts.js";
import { sign } from "./status.js";
import { short } from "./text.js";

/** @import { Gate } from "./gate.js" */
/** @import { Network, Report } from "./model.js" */

const GATE = "preprocess";

/**
 * Build the results of preprocessing; nothing where there are none.
 * @param {Report} report
 */
export function pixelSection(report) {
  const rows = report.networks.flatMap(imageRows);
  if (!rows.length) return null;
  const lead =
    "From the file's bytes on: decoded, cropped, scaled. Both sides' pixels have to be the same to the last bit.";
  return section(
    "input",
    "The pixels that enter",
    "Pixels",
    h("p", {}, lead),
    scroller("Preprocessing", table(["Image", "Network", "Status", "Values"], rows)),
  );
}

/** @param {Network} network */
function imageRows(network) {
  const gate = network.gate.get(GATE);
  if (!gate) return [];
  return gate.data.name.map((number, row) => {
    const link = h("a", { href: address(network, number, GATE) }, network.names[number]);
    const cells = [link, network.name, sign(gate.ending(row)), outcome(gate, row)];
    return h(
      "tr",
      {},
      cells.map((cell) => h("td", {}, cell)),
    );
  });
}

/**
 * @param {Gate} gate
 * @param {number} row
 */
function outcome(gate, row) {
  const problem = gate.data.problem[row];
  if (problem) return problem;
  if (gate.passed(row)) return "the same bits";
  const checks = gate.checks(row).map((check) => `${check.name}: ${short(check.measured)}`);
  return checks.join("; ");
}
