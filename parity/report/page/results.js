// All results as rows of one table: what is shown of them, and in which order.

import { address } from "./names.js";

/** @import { Check, Ending, Gate } from "./gate.js" */
/** @import { Network, Report } from "./model.js" */

/**
 * @typedef {object} Result
 * @property {Network} network
 * @property {Gate} gate
 * @property {number} layer
 * @property {string} name
 * @property {Ending} ending
 * @property {number} margin
 * @property {number} order of networks, and of the layers within each
 * @property {Check | null} check the worst one
 */
/** @typedef {"network" | "gate" | "status" | "text"} Field */
/** @typedef {{ [field in Field]: string }} Filter what is shown; an empty text stands for all */
/** @typedef {"layer" | "network" | "gate" | "status" | "margin" | "check"} Column */
/** @typedef {{ column: Column, down: boolean }} Order */

/** @type {{ [column in Column]: string }} */
export const COLUMNS = {
  layer: "Layer",
  network: "Network",
  gate: "Gate",
  status: "Status",
  margin: "Of allowed",
  check: "Measured",
};
/** @type {{ [ending in Ending]: number }} */
const ENDINGS = { culprit: 0, fails: 1, repeated: 2, downstream: 3, passes: 4 };
// What each column is sorted by.
/** @type {{ [column in Column]: (result: Result) => string | number }} */
const KEYS = {
  layer: (result) => result.order,
  network: (result) => result.network.name,
  gate: (result) => result.gate.place,
  status: (result) => ENDINGS[result.ending],
  margin: (result) => result.margin,
  check: (result) => result.check?.measured ?? -1,
};
// More than a network has layers.
const NETWORK = 1e5;

/**
 * Return all results, in the order of networks and gates.
 * @param {Report} report
 */
export function allResults(report) {
  return report.networks.flatMap((network, place) => network.gates.flatMap((gate) => resultsOf(network, place, gate)));
}

/**
 * @param {Network} network
 * @param {number} place
 * @param {Gate} gate
 * @returns {Result[]}
 */
function resultsOf(network, place, gate) {
  return gate.data.name.map((layer, row) => ({
    network,
    gate,
    layer,
    name: network.names[layer],
    ending: gate.ending(row),
    margin: gate.margins[row],
    order: layer + place * NETWORK,
    // There are thousands of rows, and few whose check is ever asked for.
    get check() {
      return gate.worstCheck(row);
    },
  }));
}

/**
 * Return the results that fit a filter.
 * @param {Result[]} results
 * @param {Filter} filter
 */
export function fitting(results, filter) {
  const { network, gate, status, text } = filter;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return results.filter(
    (result) =>
      (!network || result.network.name === network) &&
      (!gate || result.gate.name === gate) &&
      (!status || hasStatus(result, status)) &&
      words.every((word) => result.name.toLowerCase().includes(word)),
  );
}

/**
 * @param {Result} result
 * @param {string} status
 */
function hasStatus(result, status) {
  const { ending, layer, network } = result;
  if (status === "failed") return ending !== "passes";
  if (status !== "culprit" || ending === "passes") return ending === status;
  // The verdict's culprit may be only downstream by another gate.
  return ending === "culprit" || network.isCulprit(layer);
}

/**
 * Sort results by a column; equal ones as the network and the gates have them.
 * @param {Result[]} results
 * @param {Order} order
 */
export function sorted(results, order) {
  const keyOf = KEYS[order.column];
  const keyed = results.map((result) => ({ result, key: keyOf(result) }));
  keyed.sort(
    (one, other) =>
      compared(one.key, other.key) * (order.down ? -1 : 1) ||
      one.result.order - other.result.order ||
      one.result.gate.place - other.result.gate.place,
  );
  return keyed.map(({ result }) => result);
}

/**
 * @param {string | number} one
 * @param {string | number} other
 */
function compared(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/**
 * Return the address of a result's page.
 * @param {Result} result
 */
export function addressOf(result) {
  return address(result.network, result.layer, result.gate.name);
}
