// What of the table is shown: a text to search for, and choices.

import { h } from "./dom.js";
import { choice } from "./parts.js";

/** @import { Report } from "./model.js" */
/** @import { Field, Filter } from "./results.js" */

/** @typedef {[key: string, text: string][]} Options */

/** @type {Options} */
const STATUSES = [
  ["", "all"],
  ["failed", "all that fail"],
  ["culprit", "culprits"],
  ["passes", "all that pass"],
];

export class Filters {
  /**
   * @param {Report} report
   * @param {string} status the one that is shown at first
   * @param {() => void} changed
   */
  constructor(report, status, changed) {
    /** @type {Filter} */
    this.filter = { network: "", gate: "", status, text: "" };
    this.changed = changed;
    this.search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search layers ( / )",
      "aria-label": "Search layers",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.set("text", this.search.value),
    });
    const networks = report.networks.map((network) => network.name);
    this.choices = {
      network: this.choice("network", "Network", allOr(networks)),
      gate: this.choice("gate", "Gate", allOr(judgingGates(report))),
      status: this.choice("status", "Show", STATUSES),
    };
    this.element = h("div", { class: "filters" }, this.search, Object.values(this.choices));
  }
  /**
   * @param {Field} field
   * @param {string} label
   * @param {Options} options
   */
  choice(field, label, options) {
    return choice(label, `filter-${field}`, options, this.filter[field], (key) => this.set(field, key));
  }
  /**
   * @param {Field} field
   * @param {string} text
   */
  set(field, text) {
    this.filter[field] = text;
    this.changed();
  }
  /** Forget the text that was searched for. */
  clear() {
    this.search.value = "";
    this.set("text", "");
  }
  /**
   * Show what fits this filter alone.
   * @param {Partial<Filter>} filter
   */
  choose(filter) {
    this.filter = { network: "", gate: "", status: "", text: "", ...filter };
    for (const field of /** @type {const} */ (["network", "gate", "status"])) {
      const select = this.choices[field].querySelector("select");
      if (select) select.value = this.filter[field];
    }
    this.search.value = this.filter.text;
    this.changed();
  }
}

/**
 * @param {string[]} names
 * @returns {Options}
 */
function allOr(names) {
  return [["", "all"], ...names.map((name) => /** @type {Options[number]} */ ([name, name]))];
}

/**
 * Return the gates that judged anything.
 * @param {Report} report
 */
function judgingGates(report) {
  const gates = report.networks.flatMap((network) => network.gates.filter((gate) => gate.count));
  return [...new Set(gates.map((gate) => gate.name))];
}
