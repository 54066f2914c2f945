// All results in one table, of which only the rows in sight exist.

import { h } from "./dom.js";
import { Filters } from "./filters.js";
import { addressOf, allResults, COLUMNS, fitting, sorted } from "./results.js";
import { marginText, meter, sign } from "./status.js";
import { counted, short } from "./text.js";

/** @import { Child } from "./dom.js" */
/** @import { Report } from "./model.js" */
/** @import { Column, Filter, Order, Result } from "./results.js" */

// Heights as in style.css; on narrow screens a row has two lines.
const narrow = matchMedia("(max-width: 620px)");
const rowHeight = () => (narrow.matches ? 54 : 32);
// So many rows are there out of sight, above and below.
const MARGIN = 5;
const NAMES = /** @type {Column[]} */ (Object.keys(COLUMNS));
// What is sorted by these has the largest first.
const DOWNWARD = ["margin", "check"];

export class ResultTable {
  /** @param {Report} report */
  constructor(report) {
    this.results = allResults(report);
    const isFailing = this.results.some((result) => result.ending !== "passes");
    /** @type {Order} */
    this.order = { column: isFailing ? "status" : "margin", down: !isFailing };
    /** @type {Result[]} */
    this.shown = [];
    this.active = 0;
    this.filters = new Filters(report, isFailing ? "failed" : "", () => this.update());
    this.count = h("p", { class: "small count", role: "status", "aria-live": "polite" });
    this.headings = NAMES.map((name) => this.heading(name));
    this.sheet = h("div", { class: "sheet", role: "rowgroup" });
    this.view = this.madeView();
    const longest = Math.max(...report.networks.map((network) => network.name.length));
    this.grid = h(
      "div",
      { class: "grid", role: "table", "aria-label": "Results", style: `--network:${longest}ch` },
      h("div", { class: "row head", role: "row" }, this.headings),
      this.view,
    );
    this.element = h("div", {}, this.filters.element, this.count, this.grid);
    narrow.addEventListener("change", () => this.update());
    this.update();
  }
  /** @param {Column} column */
  heading(column) {
    return h(
      "div",
      { role: "columnheader", class: `c-${column}`, "data-column": column },
      h("button", { type: "button", onclick: () => this.sortBy(column) }, COLUMNS[column]),
    );
  }
  /** Build the part that scrolls, which keys move through. */
  madeView() {
    const label = "Results; arrow keys move, Enter opens";
    const view = h("div", { class: "view", tabindex: "0", "aria-label": label, role: "rowgroup" }, this.sheet);
    view.addEventListener("scroll", () => this.draw(), { passive: true });
    view.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(view);
    return view;
  }
  /** @param {Partial<Filter>} filter */
  choose(filter) {
    this.filters.choose(filter);
  }
  /** @param {Column} column */
  sortBy(column) {
    const isSame = this.order.column === column;
    this.order = { column, down: isSame ? !this.order.down : DOWNWARD.includes(column) };
    this.update();
  }
  /** Show what fits the filters, from its beginning. */
  update() {
    this.shown = sorted(fitting(this.results, this.filters.filter), this.order);
    for (const heading of this.headings) {
      const direction = this.order.down ? "descending" : "ascending";
      heading.setAttribute("aria-sort", heading.dataset.column === this.order.column ? direction : "none");
    }
    this.count.textContent = `${counted(this.shown.length)} of ${counted(this.results.length)} results`;
    this.grid.setAttribute("aria-rowcount", String(this.shown.length + 1));
    this.active = 0;
    this.sheet.style.height = `${Math.max(1, this.shown.length) * rowHeight()}px`;
    this.view.scrollTop = 0;
    this.draw();
  }
  /** Build the rows in sight. */
  draw() {
    const top = Math.floor(this.view.scrollTop / rowHeight());
    const first = Math.max(0, top - MARGIN);
    const count = Math.ceil(this.view.clientHeight / rowHeight()) + 2 * MARGIN;
    const rows = this.shown.slice(first, first + count).map((result, place) => this.line(result, first + place));
    if (!this.shown.length) rows.push(h("p", { class: "empty" }, "Nothing fits these filters."));
    this.sheet.replaceChildren(...rows);
  }
  /**
   * @param {Result} result
   * @param {number} place
   * @returns {HTMLElement}
   */
  line(result, place) {
    const isActive = place === this.active;
    return h(
      "div",
      {
        class: `row${isActive ? " active" : ""}`,
        role: "row",
        "aria-rowindex": place + 2,
        "aria-selected": isActive ? "true" : "false",
        style: `top:${place * rowHeight()}px`,
        "data-place": place,
        onclick: (event) => this.clicked(event, place),
      },
      cells(result),
    );
  }
  /**
   * @param {MouseEvent} event
   * @param {number} place
   */
  clicked(event, place) {
    // A link opens by itself.
    if (event.target instanceof Element && event.target.closest("a")) return;
    this.active = place;
    this.open();
  }
  /** Open the page of the active row. */
  open() {
    const result = this.shown[this.active];
    if (result) location.hash = addressOf(result);
  }
  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.open();
      return;
    }
    const place = this.moved(event.key);
    const end = this.shown.length - 1;
    if (place === undefined || end < 0) return;
    event.preventDefault();
    this.active = Math.max(0, Math.min(end, place));
    this.showActive();
    this.draw();
  }
  /**
   * Return the place to which a key moves, which may lie beyond the ends.
   * @param {string} key
   */
  moved(key) {
    const page = Math.max(1, Math.floor(this.view.clientHeight / rowHeight()) - 1);
    const places = new Map([
      ["ArrowDown", this.active + 1],
      ["ArrowUp", this.active - 1],
      ["PageDown", this.active + page],
      ["PageUp", this.active - page],
      ["Home", 0],
      ["End", this.shown.length - 1],
    ]);
    return places.get(key);
  }
  /** Scroll as little as brings the active row into sight. */
  showActive() {
    const top = this.active * rowHeight();
    const { scrollTop, clientHeight } = this.view;
    if (top < scrollTop) this.view.scrollTop = top;
    else if (top + rowHeight() > scrollTop + clientHeight) this.view.scrollTop = top + rowHeight() - clientHeight;
  }
}

/** @param {Result} result */
function cells(result) {
  const { check, ending, gate, margin, name, network } = result;
  /** @type {{ [column in Column]: Child }} */
  const texts = {
    layer: h("a", { href: addressOf(result), tabindex: "-1" }, name),
    network: network.name,
    gate: gate.name,
    status: sign(ending),
    margin: [marginText(margin), meter(margin, ending === "passes")],
    check: check ? `${short(check.measured)} / ${short(check.allowed)}` : "–",
  };
  /** @type {{ [column in Column]?: string | undefined }} */
  const titles = { layer: name, check: check ? `${check.name}: measured / allowed` : undefined };
  return NAMES.map((column) => h("div", { role: "cell", class: `c-${column}`, title: titles[column] }, texts[column]));
}
