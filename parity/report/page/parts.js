// What the page is put together from.

import { h } from "./dom.js";

/** @import { Base64 } from "./columns.d.ts" */
/** @import { Child } from "./dom.js" */

// Milliseconds for which a button says that it has copied.
const COPIED = 1500;

/**
 * Build a section with its title; `brief` is what the bar above the page calls it.
 * @param {string} id
 * @param {string} title
 * @param {string} brief
 * @param {...Child} children
 */
export function section(id, title, brief, ...children) {
  return h(
    "section",
    { id, "data-brief": brief, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    ...children,
  );
}

/**
 * Build the frame of a wide thing, which scrolls by itself, so that the page does not.
 * @param {string} label
 * @param {...Child} children
 */
export function scroller(label, ...children) {
  return h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": label }, ...children);
}

/**
 * Build a table with a row of headings.
 * @param {string[]} headings
 * @param {Child[]} rows
 */
export function table(headings, rows) {
  const cells = headings.map((text) => h("th", { scope: "col" }, text));
  return h("table", { class: "checks" }, h("thead", {}, h("tr", {}, cells)), h("tbody", {}, rows));
}

/**
 * Build a list of sentences; nothing where there is none.
 * @param {string} kind
 * @param {string[]} sentences
 */
export function list(kind, sentences) {
  if (!sentences.length) return null;
  const items = sentences.map((text) => h("li", {}, text));
  return h("ul", { class: kind }, items);
}

/**
 * Build a small photograph; nothing where there is none.
 * @param {Base64 | null | undefined} thumbnail
 */
export function photograph(thumbnail) {
  return thumbnail ? h("img", { src: `data:image/jpeg;base64,${thumbnail}`, alt: "" }) : null;
}

/**
 * Build a choice between options, each with its key and its text.
 * @param {string} label
 * @param {string} id
 * @param {[key: string, text: string][]} options
 * @param {string} chosen
 * @param {(key: string) => void} change
 */
export function choice(label, id, options, chosen, change) {
  const items = options.map(([key, text]) => h("option", { value: key, selected: key === chosen }, text));
  const select = h("select", { id }, items);
  select.addEventListener("change", () => change(select.value));
  return h("label", { class: "choice" }, h("span", {}, label), select);
}

/**
 * Build a command with a button that copies it.
 * @param {string} text
 */
export function command(text) {
  const button = h("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", () => copied(text, button));
  return h("div", { class: "command" }, h("code", {}, text), button);
}

/**
 * @param {string} text
 * @param {HTMLButtonElement} button
 */
async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page that was opened as a file may be refused the clipboard; a selection can be copied all the same.
    const area = h("textarea", { readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
  }, COPIED);
}
