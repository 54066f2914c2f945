// Where a block's layers lie: chains side by side, sums below them, and rails above for what several chains take.

import { chainOf, chainsOf, groupOf, isSum, levels, outsideOf, railedOf, rank, widest } from "./chains.js";

/** @import { ChainOf } from "./chains.js" */
/** @import { Network } from "./model.js" */

/** @typedef {{ x: number, y: number, width: number, height: number }} Spot */
/** @typedef {Spot & { layer: number }} Pill a layer of another block that is taken; -1 is the image */
/**
 * Where everything lies, as far as it is placed yet.
 * @typedef {object} Plan
 * @property {Map<number, Spot>} spots by layer
 * @property {Pill[]} pills
 * @property {Map<number, number>} rails their heights, by the layer that they bring
 * @property {[x: number, y: number, text: string][]} titles
 * @property {ChainOf} chain
 * @property {Map<string, number>} empty where what passes a combination's identity goes down, by combination
 * @property {Map<string, [left: number, right: number]>} groups of columns
 * @property {number} top of all columns
 * @property {number} first row of operations
 * @property {number} x at which the next column begins
 * @property {number} end of what is placed, from above
 */

export const OP = { width: 102, height: 25, pitch: 34, gap: 6, gutter: 22, rail: 11 };

/**
 * Arrange the layers of one block.
 * @param {Network} network
 * @param {number[]} layers
 */
export function arranged(network, layers) {
  const inputs = network.data.layers.inputs;
  const chain = chainOf(network, layers);
  const chains = chainsOf(layers, chain);
  const outside = outsideOf(layers, inputs, chain);
  const plan = begun(chain, railedOf(layers, inputs, chain, outside), outside.size > 0);
  const columns = [...chains.keys()].filter((key) => !isSum(key) && key !== "output");
  columns.sort((one, other) => rank(one) - rank(other));
  columns.forEach((key, place) => {
    if (place && groupOf(key) !== groupOf(columns[place - 1])) plan.x += OP.gutter;
    const above = [...outside].filter(([, first]) => first === key).map(([layer]) => layer);
    placeColumn(plan, groupOf(key), levels(chains.get(key) ?? [], inputs), above);
  });
  placeSums(plan, chains);
  placeOutput(plan, chains);
  return { ...plan, width: plan.x + OP.gap, height: plan.end + 22 };
}

/**
 * @param {ChainOf} chain
 * @param {number[]} railed
 * @param {boolean} hasPills
 * @returns {Plan}
 */
function begun(chain, railed, hasPills) {
  const top = 34 + railed.length * OP.rail;
  // With a row for the pills of inputs, so that all chains begin at one height.
  const first = top + (hasPills ? OP.pitch : 0);
  return {
    spots: new Map(),
    pills: [],
    rails: new Map(railed.map((layer, place) => [layer, 14 + place * OP.rail])),
    titles: [],
    chain,
    empty: new Map(),
    groups: new Map(),
    top,
    first,
    x: OP.gap,
    end: first,
  };
}

/**
 * @param {Plan} plan
 * @param {string} group
 * @param {Map<number, number>} level the row of each layer
 * @param {number[]} above layers of other blocks that it takes
 */
function placeColumn(plan, group, level, above) {
  const { x } = plan;
  const width = widest(level) > 1 ? OP.width * 1.5 : OP.width;
  if (!level.size) plan.empty.set(group, x + OP.width / 2);
  placePills(plan, width, above);
  for (const [layer, row] of level) {
    const peers = [...level.keys()].filter((other) => level.get(other) === row);
    const share = width / peers.length;
    const inset = peers.length > 1 ? 1 : 0;
    const y = plan.first + row * OP.pitch;
    const left = x + peers.indexOf(layer) * share + inset;
    plan.spots.set(layer, { x: left, y, width: share - 3 * inset, height: OP.height });
  }
  plan.end = Math.max(plan.end, plan.first + Math.max(0, ...level.values()) * OP.pitch + OP.height);
  const [begin] = plan.groups.get(group) ?? [x];
  plan.groups.set(group, [begin, x + width]);
  plan.x = x + width + OP.gap;
}

/**
 * @param {Plan} plan
 * @param {number} width
 * @param {number[]} above
 */
function placePills(plan, width, above) {
  const gap = above.length > 1 ? 4 : 0;
  above.forEach((layer, place) => {
    const x = plan.x + (place * width) / above.length;
    plan.pills.push({ layer, x, y: plan.top, width: width / above.length - gap, height: OP.height });
  });
}

/**
 * Place the sums below the chains that they add.
 * @param {Plan} plan
 * @param {Map<string, number[]>} chains
 */
function placeSums(plan, chains) {
  const y = plan.end + OP.pitch - OP.height;
  for (const [key, layers] of chains) {
    if (!isSum(key)) continue;
    const group = groupOf(key);
    const [left, right] = plan.groups.get(group) ?? [0, 0];
    for (const layer of layers) plan.spots.set(layer, { x: left, y, width: right - left, height: OP.height });
    plan.titles.push([(left + right) / 2, plan.top + OP.height / 2 + 4, group]);
    plan.end = y + OP.height;
  }
}

/**
 * Place what concatenates the sums below them.
 * @param {Plan} plan
 * @param {Map<string, number[]>} chains
 */
function placeOutput(plan, chains) {
  const groups = [...chains.keys()].filter(isSum).map(groupOf);
  const spans = groups.map((group) => plan.groups.get(group) ?? [0, 0]);
  if (!spans.length) spans.push([OP.gap, OP.gap + OP.width]);
  const left = Math.min(...spans.map(([from]) => from));
  const right = Math.max(...spans.map(([, to]) => to));
  for (const layer of chains.get("output") ?? []) {
    const y = plan.end + OP.pitch - OP.height + 4;
    plan.spots.set(layer, { x: left, y, width: right - left, height: OP.height });
    plan.end += OP.pitch + 4;
  }
}
