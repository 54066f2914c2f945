// A layer's name: its block, its address on the page, and where it may break.

import { h } from "./dom.js";

/** @import { Child } from "./dom.js" */

/**
 * Return the block that a layer is of.
 * @param {string} name
 */
export function block(name) {
  return name.split(/[./]/)[0];
}

/**
 * Return the address of a layer's page, on which `gate` is opened.
 * @param {{ name: string, names: string[] }} network
 * @param {number} layer
 * @param {string} [gate]
 */
export function address(network, layer, gate) {
  const parts = [network.name, network.names[layer]];
  if (gate) parts.push(gate);
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/**
 * Let a name break behind its dots.
 * @param {string} name
 * @returns {Child[]}
 */
export function broken(name) {
  return name.split(/(?<=[./])/).flatMap((part, place) => (place ? [h("wbr"), part] : [part]));
}
