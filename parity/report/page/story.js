// Why a layer fails: what is known of a culprit, or the culprits that it is behind.

import { h } from "./dom.js";
import { address } from "./names.js";
import { value } from "./numbers.js";
import { short } from "./text.js";

/** @import { Child } from "./dom.js" */
/** @import { Network } from "./model.js" */
/** @import { CulpritData, Replay } from "./report.d.ts" */

// So many culprits are named that a layer is behind.
const NAMED = 4;

/**
 * Tell the story of a layer, if the verdict has one.
 * @param {Network} network
 * @param {number} number
 */
export function story(network, number) {
  const behind = network.verdict?.downstream[number];
  if (behind) return downstream(network, behind);
  const culprit = network.culprits.get(number);
  return culprit ? atFault(culprit) : null;
}

/**
 * @param {Network} network
 * @param {number[]} behind
 */
function downstream(network, behind) {
  /** @type {Child[]} */
  const links = behind.slice(0, NAMED).map((layer, place) => {
    const link = h("a", { href: address(network, layer) }, network.names[layer]);
    return [place ? ", " : "", link];
  });
  return h(
    "aside",
    { class: "story" },
    h(
      "p",
      {},
      h("strong", {}, "↓ Downstream. "),
      behind.length ? "It fails behind " : "It fails behind others.",
      links,
      behind.length > NAMED ? ` and ${behind.length - NAMED} more` : "",
    ),
  );
}

/** @param {CulpritData} culprit */
function atFault(culprit) {
  const unjudged = `Not judged in this run, though it feeds it: ${culprit.unjudged.join(", ")}`;
  return h(
    "aside",
    { class: "story at-fault" },
    h("p", {}, h("strong", {}, `◆ Culprit: ${culprit.kind}. `), culprit.says, "."),
    culprit.hints.map((hint) => h("p", { class: "hint" }, hint)),
    culprit.replays.map((replay) => h("p", {}, replayed(replay))),
    culprit.unjudged.length > 0 && h("p", {}, unjudged),
  );
}

/** @param {Replay} replay */
function replayed(replay) {
  const checks = replay.checks.map(([label, measured, allowed]) => {
    const figures = `measured ${short(value(measured))}, allowed ${short(value(allowed))}`;
    return `${label}: ${figures}`;
  });
  const outcome = `Replay in ${replay.gate} ${replay.passed ? "passes" : "fails"}: `;
  return outcome + (replay.problem || checks.join("; "));
}
