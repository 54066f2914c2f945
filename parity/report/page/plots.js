// Plots, by Vega-Lite, which lies in the page compressed and is read when the first plot is to be seen.

let vegaReady = null;

function vega() {
  vegaReady ??= inflated("vega").then((source) => {
    // The library as the modules around it know it: it finds no module system, and leaves its name on window.
    new Function(source.replace(/export\s*\{[^}]*\};?\s*$/, ""))();
    document.getElementById("vega").remove();
    return window.vegaEmbed;
  });
  return vegaReady;
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function look() {
  const [ink, muted, rule] = [token("ink"), token("muted"), token("rule")];
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
    legend: { labelColor: ink, titleColor: muted, orient: "top", labelFontSize: 12, symbolSize: 70, labelLimit: 400 },
    text: { color: muted },
  };
}

const drawnPlots = new Set();

// A figure that is drawn once it comes into view, and again when the theme changes.
function plot(label, height, spec, click) {
  const target = h("div", { class: "plot-area", style: `min-height:${height}px` });
  const figure = h("figure", { class: "plot", role: "img", "aria-label": label }, target);
  const entry = {
    target,
    draw: async () => {
      const embed = await vega();
      const full = {
        $schema: "https://vega.github.io/schema/vega-lite/v6.json",
        width: "container",
        height,
        autosize: { type: "fit", contains: "padding" },
        ...spec(),
        config: look(),
      };
      const { view } = await embed(target, full, { actions: false, renderer: "canvas", ast: false });
      entry.view?.finalize();
      entry.view = view;
      if (click)
        view.addEventListener("click", (_event, item) => item?.datum?.layer !== undefined && click(item.datum));
      target.dataset.drawn = "yes";
    },
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      if (!entries.some((one) => one.isIntersecting)) return;
      watcher.disconnect();
      drawnPlots.add(entry);
      entry.draw();
    },
    { rootMargin: "300px" },
  );
  watcher.observe(target);
  return figure;
}

function redrawPlots() {
  for (const entry of drawnPlots) {
    entry.stale = !entry.target.isConnected;
    if (!entry.stale) entry.draw();
  }
}

// Once another page is shown: what is gone for good is given up; what came back is drawn if the theme has changed.
function tidyPlots(kept) {
  for (const entry of drawnPlots) {
    if (entry.target.isConnected && entry.stale) {
      entry.stale = false;
      entry.draw();
    } else if (!entry.target.isConnected && !kept.contains(entry.target)) {
      entry.view?.finalize();
      drawnPlots.delete(entry);
    }
  }
}

const IN_FLOAT32 = {
  float32: "Each side's own distance from the float64 values, in float32",
  "training-float32": "In training, each side's own distance from the float64 values, in float32",
  "gradient-float32": "Each gradient alone: each side's own distance from float64, in float32",
};
const IN_FLOAT64 = {
  float64: "The port's distance from TensorFlow, both in float64",
  training: "In training, the port's distance from TensorFlow, both in float64",
  gradient: "The gradient's distance from TensorFlow's, both in float64",
};

function growth(network) {
  const parts = [
    ...Object.entries(IN_FLOAT32).map(([gate, title]) => [
      gate,
      title,
      float32Values(network, gate),
      ["the port", "TensorFlow", "allowed"],
      280,
    ]),
    ...Object.entries(IN_FLOAT64).map(([gate, title]) => [
      gate,
      title,
      float64Values(network, gate),
      ["the port", "allowed"],
      200,
    ]),
  ].filter(([, , values]) => values.length);
  if (!parts.length)
    return h("p", { class: "empty" }, "No gate that measures rounding was run on this network.");
  return parts.map(([gate, title, values, series, height]) =>
    h(
      "div",
      {},
      h("h3", {}, title),
      plot(
        `${title}, relative to the values' norm, by depth`,
        height,
        () => depthSpec(network, values, "L2 distance / norm", series),
        (datum) => {
          location.hash = address(network, datum.layer, gate);
        },
      ),
    ),
  );
}
