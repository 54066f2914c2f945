// One gate's results on one network, row by row.

import { value } from "./numbers.js";

/** @import { CloseupData, GateData, PointLevels } from "./columns.d.ts" */
/** @import { Network } from "./model.js" */

/**
 * How a result ends: a culprit, downstream of others that fail this gate, or repeated, as it failed a stronger gate
 * already; and what only fails is no part of a network.
 * @typedef {"passes" | "culprit" | "fails" | "downstream" | "repeated"} Ending
 */
/** @typedef {{ name: string, measured: number, allowed: number }} Check */
/** @typedef {{ expected: number, port: number }} Point */
/**
 * What was seen of a result's values.
 * @typedef {object} Seen
 * @property {number} size how many elements there are
 * @property {number} scale the histogram goes from -scale to scale
 * @property {number[]} counts
 * @property {Point[]} points
 * @property {CloseupData | undefined} closeup
 */

// What these judge is no part of the network, of which one would feed another.
export const APART = ["preprocess", "imagenet"];
// As parity/report/measure.py has them.
export const BINS = 41;
const LEVELS = 254;
const NOT_FINITE = 255;

export class Gate {
  /**
   * @param {Network} network
   * @param {GateData} data
   * @param {number} place in the order in which gates judge
   */
  constructor(network, data, place) {
    this.network = network;
    this.data = data;
    this.place = place;
    this.name = data.gate;
    this.count = data.name.length;
    this.failed = data.passed.split("0").length - 1;
    this.margins = data.margin.map(value);
    this.rowOf = new Map(data.name.map((number, row) => [number, row]));
    this.seenOf = new Map(data.observed.row.map((row, seen) => [row, seen]));
  }
  /** @param {number} row */
  passed(row) {
    return this.data.passed[row] === "1";
  }
  /**
   * @param {number} row
   * @returns {Ending}
   */
  ending(row) {
    if (this.passed(row)) return "passes";
    const explained = this.data.explained[row];
    if (explained) return explained[0];
    return APART.includes(this.name) ? "fails" : "culprit";
  }
  /**
   * @param {number} row
   * @returns {Check[]}
   */
  checks(row) {
    return this.data.checks[row].map(([label, measured, allowed]) => ({
      name: this.data.labels[label],
      measured: value(measured),
      allowed: value(allowed),
    }));
  }
  /**
   * Find the check that comes nearest to what it allows, or goes furthest beyond.
   * @param {number} row
   */
  worstCheck(row) {
    /** @type {Check | null} */
    let worst = null;
    for (const check of this.checks(row)) {
      if (!worst || shareOf(check) > shareOf(worst)) worst = check;
    }
    return worst;
  }
  /**
   * Find the row with the largest margin, the first of equal ones.
   * @param {Iterable<number>} rows
   */
  worstRow(rows) {
    /** @type {number | null} */
    let worst = null;
    for (const row of rows) {
      if (worst === null || this.margins[row] > this.margins[worst]) worst = row;
    }
    return worst;
  }
  /**
   * Name the row's test as pytest does.
   * @param {number} row
   */
  test(row) {
    const number = this.data.test[row];
    if (number < 0) return this.data.other_test[row];
    return `${this.data.tests[number]}${this.network.names[this.data.name[row]]}]`;
  }
  /**
   * @param {number} row
   * @returns {Seen | null}
   */
  seen(row) {
    const place = this.seenOf.get(row);
    if (place === undefined) return null;
    const { size, scale, counts, closeups } = this.data.observed;
    return {
      size: size[place],
      scale: value(scale[place]),
      counts: counts[place],
      points: this.pointsOf(row, place),
      closeup: closeups[row],
    };
  }
  /**
   * @param {number} row
   * @param {number} place among the rows of which something was seen
   */
  pointsOf(row, place) {
    const { closeups, low, high, points } = this.data.observed;
    const closeup = closeups[row];
    if (closeup) return pairs(closeup.points, value(closeup.low), value(closeup.high));
    return pairs(points[place], value(low[place]), value(high[place]));
  }
}

/**
 * Return what was measured as a share of what is allowed.
 * @param {Check} check
 */
export function shareOf(check) {
  if (check.allowed) return check.measured / check.allowed;
  return check.measured ? Infinity : 0;
}

/**
 * Return the points whose two values are finite.
 * @param {PointLevels} levels
 * @param {number} low
 * @param {number} high
 */
function pairs([expectedLevels, portLevels], low, high) {
  const at = (/** @type {number} */ level) => low + (level / LEVELS) * (high - low);
  /** @type {Point[]} */
  const points = [];
  expectedLevels.forEach((expected, i) => {
    const port = portLevels[i];
    if (expected !== NOT_FINITE && port !== NOT_FINITE) points.push({ expected: at(expected), port: at(port) });
  });
  return points;
}
