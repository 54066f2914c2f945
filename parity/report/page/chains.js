// The chains of a block: what becomes of its two inputs, the sides of the combinations, their sums, and the output.

/** @import { Network } from "./model.js" */

/**
 * Gives the chain that a layer is of: prev or net (before the combinations), a side of a combination (`comb_iter_0 left`),
 * its sum (`comb_iter_0 sum`), or the output.
 * @typedef {(layer: number) => string} ChainOf
 */

/**
 * @param {Network} network
 * @param {number[]} layers of one block
 * @returns {ChainOf}
 */
export function chainOf(network, layers) {
  const net = netOf(network, layers);
  return (layer) => {
    const [first, second] = parts(network, layer);
    if (first?.startsWith("comb_iter_")) return `${first} ${second === "combine" ? "sum" : second}`;
    if (first === "cell_output") return "output";
    return !net.size || net.has(layer) ? "net" : "prev";
  };
}

/**
 * Return the layers that the newer one of a block's two inputs goes through before the combinations.
 * @param {Network} network
 * @param {number[]} layers
 */
function netOf(network, layers) {
  const own = new Set(layers);
  const inputs = network.data.layers.inputs;
  /** @type {Set<number>} */
  const net = new Set();
  const open = layers.filter((layer) => parts(network, layer)[0] === "beginning_bn");
  for (let layer = open.pop(); layer !== undefined; layer = open.pop()) {
    if (net.has(layer) || !own.has(layer)) continue;
    net.add(layer);
    open.push(...inputs[layer]);
  }
  return net;
}

/**
 * Return a layer's name within its block, in parts.
 * @param {Network} network
 * @param {number} layer
 * @returns {(string | undefined)[]}
 */
function parts(network, layer) {
  return network.names[layer].split(".").slice(1);
}

/**
 * Return the layers of each chain; a side of a combination without layers, the identity, is an empty one.
 * @param {number[]} layers
 * @param {ChainOf} chain
 */
export function chainsOf(layers, chain) {
  /** @type {Map<string, number[]>} */
  const chains = new Map();
  for (const layer of layers) chains.set(chain(layer), [...(chains.get(chain(layer)) ?? []), layer]);
  for (const key of [...chains.keys()].filter(isSum)) {
    for (const side of ["left", "right"]) {
      const other = key.replace("sum", side);
      chains.set(other, chains.get(other) ?? []);
    }
  }
  return chains;
}

/** @param {string} chain */
export function isSum(chain) {
  return chain.endsWith(" sum");
}

/**
 * Return what a chain is a part of: its combination, or the chain itself.
 * @param {string} chain
 */
export function groupOf(chain) {
  return chain.split(" ")[0];
}

/**
 * Return the layers of other blocks that are taken, each with the chain that takes it first.
 * @param {number[]} layers
 * @param {number[][]} inputs
 * @param {ChainOf} chain
 */
export function outsideOf(layers, inputs, chain) {
  const own = new Set(layers);
  /** @type {Map<number, string>} */
  const outside = new Map();
  for (const layer of layers) {
    for (const input of inputs[layer]) {
      if (!own.has(input) && !outside.has(input)) outside.set(input, chain(layer));
    }
  }
  return outside;
}

/**
 * Return what more than its own chain takes: each has a rail above the chains.
 * @param {number[]} layers
 * @param {number[][]} inputs
 * @param {ChainOf} chain
 * @param {Map<number, string>} outside
 */
export function railedOf(layers, inputs, chain, outside) {
  const takers = (/** @type {number} */ layer) => layers.filter((other) => inputs[other].includes(layer));
  const own = layers.filter((layer) => takers(layer).some((other) => isElsewhere(chain(layer), chain(other))));
  const others = [...outside].filter(([layer, first]) => takers(layer).some((other) => chain(other) !== first));
  return [...own, ...others.map(([layer]) => layer)];
}

/**
 * Say whether what one chain gives to another goes over a rail: not to its own sum, and not from a sum to the output.
 * @param {string} from
 * @param {string} to
 */
export function isElsewhere(from, to) {
  if (from === to || to === "output") return false;
  return !(isSum(to) && groupOf(from) === groupOf(to));
}

/**
 * Return a chain's place from left to right.
 * @param {string} chain
 */
export function rank(chain) {
  if (chain === "prev") return 0;
  if (chain === "net") return 1;
  const side = chain.match(/^comb_iter_(\d+) (.*)$/);
  // No block has that many combinations: what is of none comes last.
  if (!side) return 200;
  return 2 + 2 * Number(side[1]) + (side[2] === "right" ? 1 : 0);
}

/**
 * Return the row of each layer of a chain: one below all in the chain that feed it.
 * @param {number[]} members
 * @param {number[][]} inputs
 */
export function levels(members, inputs) {
  const own = new Set(members);
  /** @type {Map<number, number>} */
  const level = new Map();
  for (const layer of members) {
    const above = inputs[layer].filter((input) => own.has(input)).map((input) => level.get(input) ?? -1);
    level.set(layer, 1 + Math.max(-1, ...above));
  }
  return level;
}

/**
 * Return how many layers of a chain lie side by side at most.
 * @param {Map<number, number>} level
 */
export function widest(level) {
  const rows = [...level.values()];
  return Math.max(0, ...rows.map((row) => rows.filter((other) => other === row).length));
}
