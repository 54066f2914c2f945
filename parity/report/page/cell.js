// A block opened: its operations in chains, the sums of the combinations, and the states they take, on rails above.

import { groupOf, isElsewhere, isSum } from "./chains.js";
import { svg } from "./dom.js";
import { arranged, OP } from "./layout.js";
import { inputPill, operation } from "./operations.js";
import { scroller } from "./parts.js";

/** @import { Plan, Spot } from "./layout.js" */
/** @import { Network } from "./model.js" */

// Neighbouring rails differ in colour, and in where they leave their layers.
const RAIL_COLOURS = 3;

/**
 * Draw a block's operations, shaded by a gate.
 * @param {Network} network
 * @param {string} gateName
 * @param {string} name
 */
export function cellDrawing(network, gateName, name) {
  const layers = network.layersOf(name);
  const gate = network.gate.get(gateName);
  const plan = arranged(network, layers);
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${plan.width} ${plan.height}`,
      style: `min-width:${Math.round(plan.width * 0.78)}px;max-width:${plan.width * 1.1}px`,
      class: "cell",
      role: "group",
      "aria-label": `${name} of ${network.name}: operations and edges`,
    },
    plan.titles.map(([x, y, text]) => svg("text", { x, y, class: "tiny faint" }, text)),
    layers.map((layer) => cellEdges(network, layer, plan)),
    plan.pills.map((pill) => inputPill(network, pill)),
    [...plan.spots].map(([layer, spot]) => operation(network, gate, layer, spot)),
  );
  return scroller(`Drawing of ${name}`, picture);
}

/**
 * Draw the edges from what a layer takes.
 * @param {Network} network
 * @param {number} layer
 * @param {Plan} plan
 */
function cellEdges(network, layer, plan) {
  const to = plan.spots.get(layer);
  if (!to) return [];
  const inputs = new Set(network.data.layers.inputs[layer]);
  return [...inputs].map((input) => {
    const pill = plan.pills.find((one) => one.layer === input);
    const from = plan.spots.get(input) ?? pill;
    return input >= 0 && from ? edge(plan, input, from, layer, to) : null;
  });
}

/**
 * @param {Plan} plan
 * @param {number} input
 * @param {Spot} from
 * @param {number} layer
 * @param {Spot} to
 */
function edge(plan, input, from, layer, to) {
  const rail = plan.rails.get(input);
  if (rail === undefined || isDirect(plan, input, from, layer, to)) {
    return svg("path", { class: "edge", d: directPath(from, to) });
  }
  const colour = [...plan.rails.keys()].indexOf(input) % RAIL_COLOURS;
  const chain = plan.chain(layer);
  const passing = isSum(chain) ? plan.empty.get(groupOf(chain)) : undefined;
  const up = `M${middle(from)} ${from.y + from.height} v5 H${from.x + from.width + 4 + colour * 3} V${rail}`;
  return svg("path", { class: `edge rail rail${colour}`, d: `${up} H${passing ?? middle(to)} V${to.y}` });
}

/**
 * Say whether what has a rail goes to this layer without it: within its chain, or from the pill above.
 * @param {Plan} plan
 * @param {number} input
 * @param {Spot} from
 * @param {number} layer
 * @param {Spot} to
 */
function isDirect(plan, input, from, layer, to) {
  if (plan.spots.has(input)) return !isElsewhere(plan.chain(input), plan.chain(layer));
  return Math.abs(middle(from) - middle(to)) < OP.width;
}

/**
 * @param {Spot} from
 * @param {Spot} to
 */
function directPath(from, to) {
  const start = from.y + from.height;
  const inside = Math.min(Math.max(middle(from), to.x + 8), to.x + to.width - 8);
  const across = to.width > from.width ? inside : middle(to);
  return `M${middle(from)} ${start} C${middle(from)} ${start + 8} ${across} ${to.y - 8} ${across} ${to.y}`;
}

/** @param {Spot} spot */
function middle(spot) {
  return spot.x + spot.width / 2;
}
