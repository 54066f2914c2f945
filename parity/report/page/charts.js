// What is plotted, as Vega-Lite takes it.

// A tick's number, with an exponent where it would be long.
const NUMBERS =
  "datum.value && (abs(datum.value) >= 1e5 || abs(datum.value) < 1e-3) ? format(datum.value, '.1e') : format(datum.value, '.4~f')";

function blockMarks(network) {
  return [...network.blocks].map(([name, layers]) => ({
    first: layers[0],
    middle: (layers[0] + layers.at(-1)) / 2,
    label: name
      .replace("cell_stem_", "stem ")
      .replace("cell_", "cell ")
      .replace("final_layer", "final")
      .replace(/^conv0.*/, ""),
  }));
}

function depthSpec(network, values, title, series) {
  const marks = blockMarks(network),
    labels = marks.map((mark) => `datum.value === ${mark.middle} ? ${JSON.stringify(mark.label)} : `).join("");
  const x = {
    field: "layer",
    type: "quantitative",
    title: null,
    scale: { domain: [0, network.count], nice: false, zero: false },
    axis: {
      values: marks.map((mark) => mark.middle),
      labelExpr: `${labels}""`,
      labelOverlap: true,
      grid: false,
      ticks: false,
      labelPadding: 6,
    },
  };
  const colours = series.map((name) =>
    token({ "the port": "series-port", TensorFlow: "series-tf", allowed: "series-limit" }[name]),
  );
  const shapes = series.map((name) => ({ "the port": "circle", TensorFlow: "cross", allowed: "stroke" })[name]);
  const base = {
    data: { values },
    encoding: {
      x,
      y: { field: "value", type: "quantitative", scale: { type: "log" }, title, axis: { format: ".0e", tickCount: 6 } },
      color: { field: "series", type: "nominal", scale: { domain: series, range: colours }, title: null },
      tooltip: [{ field: "name", title: "layer" }, { field: "series" }, { field: "value", format: ".3e" }],
    },
  };
  const points = {
    ...base,
    transform: [{ filter: { not: { field: "series", equal: series.at(-1) } } }],
    mark: { type: "point", filled: true, size: 18, opacity: 0.75, cursor: "pointer" },
    encoding: {
      ...base.encoding,
      shape: { field: "series", type: "nominal", scale: { domain: series, range: shapes }, title: null },
    },
  };
  const limit = {
    ...base,
    transform: [{ filter: { field: "series", equal: series.at(-1) } }],
    mark: { type: "line", interpolate: "step", strokeWidth: 1.2, opacity: 0.9 },
  };
  return {
    layer: [
      {
        data: { values: marks },
        mark: { type: "rule", color: token("rule") },
        encoding: { x: { ...x, field: "first" } },
      },
      limit,
      points,
    ],
  };
}

// A gate in float32: both sides' own distance from float64, relative to the values' norm, and what is allowed.
function float32Values(network, name) {
  const gate = network.gate.get(name),
    values = [];
  gate?.data.name.forEach((layer, row) => {
    const norm = gate.data.norm[row],
      [check] = gate.checks(row);
    if (layer >= network.count || !norm || !check) return;
    const add = (series, number) =>
      number > 0 &&
      Number.isFinite(number) &&
      values.push({ layer, name: network.names[layer], series, value: number / norm });
    add("the port", check.measured);
    add("TensorFlow", value(gate.data.official[row]));
    add("allowed", check.allowed);
  });
  return values;
}

function float64Values(network, name) {
  const gate = network.gate.get(name),
    values = [];
  gate?.data.name.forEach((layer, row) => {
    const [check] = gate.checks(row);
    if (layer >= network.count || !check) return;
    if (check.measured > 0 && Number.isFinite(check.measured))
      values.push({ layer, name: network.names[layer], series: "the port", value: check.measured });
    values.push({ layer, name: network.names[layer], series: "allowed", value: check.allowed });
  });
  return values;
}

function histogramSpec(seen) {
  const width = (2 * seen.scale) / BINS || 1;
  const values = [...seen.counts]
    .map((count, place) => ({
      from: -seen.scale + place * width,
      to: -seen.scale + (place + 1) * width,
      count,
      floor: 0.5,
    }))
    .filter((bin) => bin.count);
  return {
    data: { values },
    mark: { type: "bar", color: token("series-port"), binSpacing: 1 },
    encoding: {
      x: {
        field: "from",
        type: "quantitative",
        bin: { binned: true },
        title: "port − TensorFlow",
        scale: { domain: seen.scale ? [-seen.scale, seen.scale] : [-1, 1] },
        axis: { labelExpr: NUMBERS, tickCount: 5 },
      },
      x2: { field: "to" },
      y: {
        field: "count",
        type: "quantitative",
        scale: { type: "log", domainMin: 0.5 },
        title: "elements of the sample",
        axis: { tickCount: 4, format: "~s" },
      },
      y2: { field: "floor" },
      tooltip: [{ field: "from", format: ".3e" }, { field: "to", format: ".3e" }, { field: "count" }],
    },
  };
}

function scatterSpec(seen) {
  const numbers = seen.points.flatMap((point) => [point.expected, point.port]),
    [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const axis = { tickCount: 5, labelExpr: NUMBERS },
    scale = { domain: [low, high], nice: true, zero: false };
  return {
    layer: [
      {
        data: { values: [{ at: low }, { at: high }] },
        mark: { type: "line", color: token("series-limit"), strokeWidth: 1 },
        encoding: { x: { field: "at", type: "quantitative", scale }, y: { field: "at", type: "quantitative", scale } },
      },
      {
        data: { values: seen.points },
        mark: { type: "point", filled: true, size: 22, opacity: 0.6, color: token("series-port") },
        encoding: {
          x: { field: "expected", type: "quantitative", title: "TensorFlow", scale, axis },
          y: { field: "port", type: "quantitative", title: "port", scale, axis },
          tooltip: [
            { field: "expected", format: ".4g", title: "TensorFlow" },
            { field: "port", format: ".4g" },
          ],
        },
      },
    ],
  };
}
