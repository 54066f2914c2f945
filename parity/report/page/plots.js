// Plots, by Vega-Lite, which lies in the page compressed and is read when the first plot is to be seen.

import { byId, colour, h } from "./dom.js";
import { inflated } from "./numbers.js";

/** @import { Embed, Item, View } from "./vega.d.ts" */

/**
 * A plot that has come into view.
 * @typedef {object} Plot
 * @property {HTMLElement} target
 * @property {number} height
 * @property {() => object} spec
 * @property {((datum: NonNullable<Item["datum"]>) => void) | undefined} click
 * @property {View | null} view once it is drawn
 * @property {boolean} isStale whether its colours are those of another theme
 */

/** @type {Promise<Embed> | null} */
let library = null;
/** @type {Set<Plot>} */
const drawnPlots = new Set();

function embedder() {
  library ??= inflated("vega").then((source) => {
    // The library as the modules around it know it: it finds no module system, and leaves its name on window.
    new Function(source.replace(/export\s*\{[^}]*\};?\s*$/, ""))();
    byId("vega").remove();
    return window.vegaEmbed;
  });
  return library;
}

/**
 * Build a figure that is drawn once it comes into view, and again when the theme changes.
 * @param {string} label
 * @param {number} height
 * @param {() => object} spec
 * @param {(datum: NonNullable<Item["datum"]>) => void} [click]
 */
export function plot(label, height, spec, click) {
  const target = h("div", { class: "plot-area", style: `min-height:${height}px` });
  /** @type {Plot} */
  const entry = { target, height, spec, click, view: null, isStale: false };
  const watcher = new IntersectionObserver(
    (entries) => {
      if (!entries.some((one) => one.isIntersecting)) return;
      watcher.disconnect();
      drawnPlots.add(entry);
      draw(entry);
    },
    { rootMargin: "300px" },
  );
  watcher.observe(target);
  return h("figure", { class: "plot", role: "img", "aria-label": label }, target);
}

/** @param {Plot} entry */
async function draw(entry) {
  const embed = await embedder();
  const full = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width: "container",
    height: entry.height,
    autosize: { type: "fit", contains: "padding" },
    ...entry.spec(),
    config: look(),
  };
  const { view } = await embed(entry.target, full, { actions: false, renderer: "canvas", ast: false });
  entry.view?.finalize();
  entry.view = view;
  view.addEventListener("click", (_event, item) => {
    if (item?.datum) entry.click?.(item.datum);
  });
  entry.target.dataset.drawn = "yes";
}

function look() {
  const muted = colour("muted");
  const rule = colour("rule");
  return {
    background: null,
    font: "system-ui, sans-serif",
    view: { stroke: rule },
    axis: {
      labelColor: muted,
      titleColor: muted,
      gridColor: rule,
      domainColor: rule,
      tickColor: rule,
      titleFontWeight: "normal",
      labelFontSize: 11,
      titleFontSize: 12,
    },
    legend: {
      labelColor: colour("ink"),
      titleColor: muted,
      orient: "top",
      labelFontSize: 12,
      symbolSize: 70,
      labelLimit: 400,
    },
    text: { color: muted },
  };
}

/** Draw all plots in the colours of the theme; those out of the page once they are back in it. */
export function redrawPlots() {
  for (const entry of drawnPlots) {
    entry.isStale = !entry.target.isConnected;
    if (!entry.isStale) draw(entry);
  }
}

/**
 * Return up what is gone for good, once another page is shown, and draw what came back if the theme has changed.
 * @param {Element} kept the overview, which is shown again
 */
export function tidyPlots(kept) {
  for (const entry of drawnPlots) {
    if (entry.target.isConnected && entry.isStale) {
      entry.isStale = false;
      draw(entry);
    } else if (!entry.target.isConnected && !kept.contains(entry.target)) {
      entry.view?.finalize();
      drawnPlots.delete(entry);
    }
  }
}
