// Is it parity, of what with what? If not, where does it begin?

import { h } from "./dom.js";
import { address, broken } from "./names.js";
import { list, section } from "./parts.js";
import { referenceName, setting } from "./provenance.js";
import { plural } from "./text.js";

/** @import { Network, Report } from "./model.js" */
/** @import { CulpritData } from "./report.d.ts" */

// So many culprits of a network are shown at once.
const SHOWN = 3;
const JUDGEMENTS = { parity: "✓", partial: "◐", unfinished: "◌", error: "!", "no parity": "✕" };

/**
 * Build what the run comes to.
 * @param {Report} report
 */
export function banner(report) {
  const { judgement, networks } = report;
  const kind = `banner ${judgement.kind.replace(" ", "-")}`;
  return h(
    "section",
    { id: "verdict", "data-brief": "Verdict", class: kind, "aria-labelledby": "verdict-title" },
    h("p", { class: "mark", "aria-hidden": "true" }, JUDGEMENTS[judgement.kind]),
    h(
      "div",
      {},
      h("h1", { id: "verdict-title" }, judgement.words),
      compared(report),
      networks.map(beginning),
      list("limits", judgement.limits),
    ),
  );
}

/** @param {Report} report */
function compared(report) {
  const candidate = report.provenance.candidate ?? "The PyTorch port";
  const networks = report.networks.map((network) => network.name).join(", ");
  return h(
    "p",
    { class: "lead" },
    `${candidate} against `,
    referenceName(report),
    ": ",
    h("strong", {}, networks),
    ". ",
    setting(report),
  );
}

/** @param {Network} network */
function beginning(network) {
  const first = network.firstCulprit();
  if (first === undefined) return null;
  const more = network.culprits.size - 1;
  return h(
    "p",
    { class: "lead" },
    `In ${network.name} it begins at `,
    h("a", { href: address(network, first) }, broken(network.names[first])),
    more ? ` and ${plural(more, "more layer")}.` : ".",
  );
}

/**
 * Build the culprits of all networks; nothing where there is none.
 * @param {Report} report
 */
export function beginnings(report) {
  const failing = report.networks.filter((network) => network.culprits.size);
  if (!failing.length) return null;
  return section("begins", "Where it begins", "Begins", failing.map(culprits));
}

/** @param {Network} network */
function culprits(network) {
  const cards = [...network.culprits.values()].map((culprit) => card(network, culprit));
  return h(
    "div",
    {},
    h("h3", {}, network.verdict?.head),
    h("div", { class: "cards" }, cards.slice(0, SHOWN)),
    cards.length > SHOWN &&
      h(
        "details",
        {},
        h("summary", {}, plural(cards.length - SHOWN, "more culprit")),
        h("div", { class: "cards" }, cards.slice(SHOWN)),
      ),
  );
}

/**
 * @param {Network} network
 * @param {CulpritData} culprit
 */
function card(network, culprit) {
  const link = { href: address(network, culprit.name, culprit.gates[0]) };
  return h(
    "article",
    { class: "card" },
    h(
      "h4",
      {},
      h("span", { class: "sign culprit", "aria-hidden": "true" }, "◆ "),
      h("a", link, broken(network.names[culprit.name])),
    ),
    culprit.hints.length ? h("p", { class: "hint" }, culprit.hints[0]) : h("p", {}, culprit.says),
    h("p", { class: "small" }, `${culprit.kind}; fails ${culprit.gates.join(", ")}`),
  );
}
