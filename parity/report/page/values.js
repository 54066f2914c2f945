// What was seen of a layer's values in one gate: how they differ, and how they look.

function gateView(report, network, number, gate) {
  const row = gate.rowOf.get(number),
    seen = gate.seen(row),
    notes = gate.data.notes[row] ?? [],
    why = gate.data.explained[row],
    element = gate.data.element[row];
  const test = gate.test(row);
  return h(
    "div",
    { class: "gate-panel", role: "tabpanel", "data-gate": gate.name },
    why && h("p", {}, `Fails the ${gate.name} gate ${why[1]}.`),
    notes.length > 0 &&
      h(
        "ul",
        { class: "notes" },
        notes.map((note) => h("li", {}, note)),
      ),
    element &&
      h(
        "p",
        {},
        `Worst element [${element.index.join(", ")}]: port ${element.actual}, expected ${element.expected}; ${counted(element.exceeding)} of ${counted(element.size)} exceed.`,
      ),
    seen
      ? seenPlots(gate, seen)
      : ![...APART, "structure"].includes(gate.name) &&
          h(
            "p",
            { class: "empty" },
            gate.passed(row) && gate.name.startsWith("exact")
              ? "Every element is the same to the last bit: there is no difference to show."
              : "Nothing was kept of its values.",
          ),
    seen?.closeup && closeupView(gate, seen.closeup),
    test &&
      h(
        "div",
        {},
        h("h3", {}, "To repeat just this"),
        command(["pytest", quoted(test), report.run.arguments].filter(Boolean).join(" ")),
      ),
  );
}

function seenPlots(gate, seen) {
  const sample = Math.min(seen.size, 4096),
    of =
      seen.size > sample
        ? `${counted(sample)} of ${counted(seen.size)} elements, drawn at random`
        : `all ${counted(seen.size)} elements`;
  return h(
    "div",
    { class: "pair" },
    h(
      "div",
      {},
      h("h3", {}, "Differences"),
      h("p", { class: "small" }, `${of}; counts on a logarithmic scale`),
      plot("Histogram of the differences", 210, () => histogramSpec(seen)),
    ),
    h(
      "div",
      {},
      h("h3", {}, "Port against TensorFlow"),
      h(
        "p",
        { class: "small" },
        `${seen.points.length} elements${gate.name === "float32" ? "; TensorFlow in float64" : ""}; equal ones lie on the line`,
      ),
      plot("The port's values against TensorFlow's", 210, () => scatterSpec(seen)),
    ),
  );
}

function closeupView(gate, closeup) {
  const at = closeup.worst[0][0],
    titles = {
      port: "Port",
      expected: gate.name === "float32" ? "TensorFlow (float64)" : "TensorFlow",
      difference: "Port − TensorFlow",
    };
  const maps = Object.entries(titles).filter(([key]) => closeup.maps[key]);
  return h(
    "div",
    {},
    maps.length > 0 &&
      h(
        "div",
        {},
        h("h3", {}, `Channel ${at[3]}, where the largest difference is`),
        h(
          "div",
          { class: "maps" },
          maps.map(([key, title]) => mapFigure(title, closeup.maps[key], key, at)),
        ),
      ),
    h("h3", {}, "Worst elements"),
    scroller(
      "Worst elements",
      h(
        "table",
        { class: "checks" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Index", "Port", "TensorFlow", "Difference"].map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h(
          "tbody",
          {},
          closeup.worst.map(([index, port, expected]) =>
            h(
              "tr",
              {},
              h("td", { class: "number" }, `[${index.join(", ")}]`),
              h("td", { class: "number" }, port),
              h("td", { class: "number" }, expected),
              h("td", { class: "number" }, short(Number(port) - Number(expected))),
            ),
          ),
        ),
      ),
    ),
  );
}

function mapFigure(title, map, kind, at) {
  const picture = h("img", {
    src: `data:image/png;base64,${map.png}`,
    alt: `${title}: ${map.width} × ${map.height} values from ${short(value(map.low))} to ${short(value(map.high))}`,
    width: map.width,
    height: map.height,
  });
  const spot = h("span", {
    class: "spot",
    title: `the largest difference: row ${at[1]}, column ${at[2]}`,
    style: `left:${(100 * (at[2] + 0.5)) / map.width}%;top:${(100 * (at[1] + 0.5)) / map.height}%`,
  });
  return h(
    "figure",
    { class: "map" },
    h("figcaption", {}, title),
    h("div", { class: "frame" }, picture, spot),
    h("div", { class: `scale ${kind === "difference" ? "scale-difference" : "scale-values"}` }),
    h(
      "div",
      { class: "ends" },
      h("span", {}, short(value(map.low))),
      kind === "difference" && h("span", {}, "0"),
      h("span", {}, short(value(map.high))),
    ),
  );
}
