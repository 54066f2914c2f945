// What the document holds compressed, as bytes, or as text where JSON has no number for it.

import { byId } from "./dom.js";

/** @import { Base64, Numeral } from "./columns.d.ts" */

/**
 * Read the text that lies compressed in an element of the page.
 * @param {string} id
 */
export async function inflated(id) {
  const bytes = fromBase64(byId(id).textContent);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/**
 * Read bytes.
 * @param {Base64} text
 */
export function fromBase64(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/**
 * Read a number, which may be infinite, or none.
 * @param {Numeral} numeral
 * @returns {number}
 */
export function value(numeral) {
  if (typeof numeral === "number") return numeral;
  return { inf: Infinity, "-inf": -Infinity, nan: NaN }[numeral];
}
