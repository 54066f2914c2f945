// The document, and what the page asks of it.

import { Gate } from "./gate.js";
import { block } from "./names.js";

/** @import { NetworkData, ReportData } from "./report.d.ts" */

export class Network {
  /** @param {NetworkData} data */
  constructor(data) {
    this.data = data;
    this.name = data.name;
    this.names = data.names;
    this.verdict = data.verdict;
    this.gates = data.gates.map((gate, place) => new Gate(this, gate, place));
    this.gate = new Map(this.gates.map((gate) => [gate.name, gate]));
    // How many official layers there are; they are the first of the names.
    this.count = data.layers.kind.length;
    this.number = new Map(data.names.map((name, number) => [name, number]));
    this.consumers = consumersOf(data.layers.inputs);
    this.blocks = blocksOf(data.names.slice(0, this.count));
    this.culprits = new Map((data.verdict?.culprits ?? []).map((culprit) => [culprit.name, culprit]));
  }
  /** @param {number} layer */
  isCulprit(layer) {
    return this.culprits.has(layer);
  }
  /**
   * Return the first culprit, undefined where there is none.
   * @returns {number | undefined}
   */
  firstCulprit() {
    return this.culprits.keys().next().value;
  }
  /**
   * Return the layers of a block, in the network's order.
   * @param {string} name
   */
  layersOf(name) {
    return this.blocks.get(name) ?? [];
  }
  /** @param {number} layer */
  shape(layer) {
    const sides = this.data.layers.shape[layer].slice(1);
    return sides.map((side) => side ?? "?").join(" × ");
  }
}

export class Report {
  /** @param {ReportData} data */
  constructor(data) {
    this.run = data.run;
    this.judgement = data.judgement;
    this.provenance = data.provenance;
    this.imagenet = data.imagenet;
    this.faults = data.faults;
    this.networks = data.networks.map((network) => new Network(network));
    this.network = new Map(this.networks.map((network) => [network.name, network]));
  }
}

/**
 * Give, for each layer, the layers that it feeds.
 * @param {number[][]} inputs
 */
function consumersOf(inputs) {
  /** @type {number[][]} */
  const consumers = inputs.map(() => []);
  inputs.forEach((feeders, layer) => {
    for (const feeder of new Set(feeders)) {
      if (feeder >= 0) consumers[feeder].push(layer);
    }
  });
  return consumers;
}

/**
 * Return the layers of each block.
 * @param {string[]} names
 */
function blocksOf(names) {
  /** @type {Map<string, number[]>} */
  const blocks = new Map();
  names.forEach((name, layer) => {
    const members = blocks.get(block(name)) ?? [];
    members.push(layer);
    blocks.set(block(name), members);
  });
  return blocks;
}
