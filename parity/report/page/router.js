// What is shown, by the address behind the #, and the keys that work everywhere.

import { byId, h } from "./dom.js";
import { layerPage } from "./layer.js";
import { overview } from "./overview.js";
import { tidyPlots } from "./plots.js";

/** @import { Report } from "./model.js" */

export class Router {
  /** @param {Report} report */
  constructor(report) {
    this.report = report;
    this.page = byId("page");
    this.main = overview(report);
    /** @type {Element | null} */
    this.shown = null;
    // Where the overview was when a layer's page took its place.
    this.left = { top: 0, table: 0, focus: /** @type {Element | null} */ (null) };
  }
  /** Show what the address asks for, now and whenever it changes. */
  start() {
    const sections = /** @type {NodeListOf<HTMLElement>} */ (this.main.element.querySelectorAll("section[id]"));
    for (const part of sections) byId("sections").append(this.link(part));
    addEventListener("hashchange", () => this.route());
    addEventListener("keydown", (event) => this.shortcut(event));
    this.route();
    showOpened(this.main.element);
  }
  /**
   * Build the link to a section for the bar above the page.
   * @param {HTMLElement} part
   */
  link(part) {
    /** @param {MouseEvent} event */
    const onclick = (event) => {
      event.preventDefault();
      if (this.shown !== this.main.element) {
        history.pushState(null, "", "#/");
        this.route();
      }
      part.scrollIntoView({ behavior: "smooth" });
    };
    return h("a", { href: "#/", onclick }, part.dataset.brief);
  }
  route() {
    const [networkName, layer, gate] = addressed();
    const network = this.report.network.get(networkName);
    const number = network?.number.get(layer);
    const isKnown = networkName === undefined || number !== undefined;
    const main = this.main.element;
    if (this.shown === main && number === undefined && isKnown) return;
    if (this.shown === main) this.leave();
    const isLayer = network !== undefined && number !== undefined;
    this.shown = isLayer ? layerPage(this.report, network, number, gate) : main;
    this.page.replaceChildren(this.shown);
    if (!isKnown) this.page.prepend(unknown([networkName, layer]));
    tidyPlots(main);
    if (this.shown === main) this.restore();
    else showLayer(this.shown);
  }
  leave() {
    this.left = { top: scrollY, table: this.main.table.view.scrollTop, focus: document.activeElement };
  }
  restore() {
    const { focus, table, top } = this.left;
    scrollTo(0, top);
    this.main.table.view.scrollTop = table;
    this.main.table.draw();
    if (!this.main.element.contains(focus)) return;
    /** @type {HTMLElement | SVGElement | null} */ (focus)?.focus({ preventScroll: true });
  }
  /** @param {KeyboardEvent} event */
  shortcut(event) {
    const { search } = this.main.table.filters;
    const isTyping = event.target instanceof Element && /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.find();
    } else if (event.key === "Escape" && event.target === search) {
      this.main.table.filters.clear();
      search.blur();
    } else if (event.key === "Escape" && !this.main.element.isConnected) {
      location.hash = "#/";
    } else if (event.key === "ArrowDown" && event.target === search) {
      event.preventDefault();
      this.main.table.view.focus();
    }
  }
  /** Go to the field to search in. */
  find() {
    const { search } = this.main.table.filters;
    if (!this.main.element.isConnected) location.hash = "#/";
    // Behind the event by which another address is shown.
    setTimeout(() => {
      search.focus();
      search.scrollIntoView({ block: "center" });
    });
  }
}

/**
 * Return the network, layer and gate of the address, as far as it has them.
 * @returns {string[]}
 */
function addressed() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  return parts.filter(Boolean).map(decoded);
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string[]} names */
function unknown(names) {
  return h("p", { class: "limits" }, `This report has no ${names.filter(Boolean).join(" ")}.`);
}

/** @param {Element} page */
function showLayer(page) {
  scrollTo(0, 0);
  page.querySelector("h1")?.focus({ preventScroll: true });
}

/**
 * Bring the opened block into sight where the drawing is wider than the window.
 * @param {Element} main
 */
function showOpened(main) {
  const opened = main.querySelector(".block.opened");
  const view = opened?.closest(".scroller");
  if (!opened || !view) return;
  const box = opened.getBoundingClientRect();
  const frame = view.getBoundingClientRect();
  view.scrollLeft += box.left + box.width / 2 - (frame.left + frame.width / 2);
}
