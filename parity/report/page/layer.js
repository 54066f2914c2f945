// A layer's own page: what every gate says of it, what was seen of its values, and what it is connected with.

function layerPage(report, network, number, gateName) {
  const name = network.names[number], judged = network.gates.filter((gate) => gate.rowOf.has(number));
  const failing = judged.find((gate) => !gate.passed(gate.rowOf.get(number)));
  const seen = judged.filter((gate) => gate.seenOf.has(gate.rowOf.get(number)));
  const chosen = judged.find((gate) => gate.name === gateName) ?? failing ?? seen.at(-1) ?? judged[0];
  const isLayer = number < network.count;
  return h("article", { class: "layer", "aria-labelledby": "layer-title" },
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Report"), " › ", network.name, " › ", block(name)),
    h("h1", { id: "layer-title", tabindex: "-1" }, broken(name)),
    isLayer && h("p", { class: "lead" }, `${network.data.layers.kind[number]}, ${network.shape(number)}`),
    steps(network, number, chosen?.name),
    sourceStory(network, number),
    isLayer && connections(network, number, chosen?.name),
    h("h2", {}, "What the gates say"), judged.length ? gateTable(network, number, judged) : h("p", { class: "empty" }, "No gate judged this layer in this run."),
    chosen && h("div", { class: "gate-view" },
      h("div", { class: "tabs", role: "tablist", "aria-label": "Gate" }, judged.map((gate) => h("a", { role: "tab", "aria-selected": gate === chosen ? "true" : "false", href: address(network, number, gate.name) }, gate.name))),
      gateView(report, network, number, chosen)));
}

function steps(network, number, gate) {
  const link = (to, text) => to >= 0 && to < network.names.length ? h("a", { href: address(network, to, gate), title: network.names[to] }, text) : h("span", { class: "faint" }, text);
  return h("p", { class: "steps" }, link(number - 1, "← previous"), " ", link(number + 1, "next →"));
}

function sourceStory(network, number) {
  const source = network.sources.get(number), behind = network.verdict?.downstream[number];
  if (behind) {
    return h("aside", { class: "story" }, h("p", {}, h("strong", {}, "↓ Downstream. "), behind.length ? "It fails behind " : "It fails behind others.",
      behind.slice(0, 4).map((layer, place) => [place ? ", " : "", h("a", { href: address(network, layer) }, network.names[layer])]), behind.length > 4 ? ` and ${behind.length - 4} more` : ""));
  }
  if (!source) return null;
  return h("aside", { class: "story at-fault" },
    h("p", {}, h("strong", {}, `◆ Source: ${source.kind}. `), source.says, "."),
    source.hints.map((hint) => h("p", { class: "hint" }, hint)),
    source.replays.map((replay) => h("p", {}, `Replay in ${replay.gate} ${replay.passed ? "passes" : "fails"}: `,
      replay.problem || replay.checks.map(([label, measured, allowed]) => `${label}: measured ${short(value(measured))}, allowed ${short(value(allowed))}`).join("; "))),
    source.unjudged.length > 0 && h("p", {}, `Not judged in this run, though it feeds it: ${source.unjudged.join(", ")}`));
}

function connections(network, number, gateName) {
  const chip = (layer) => {
    if (layer < 0) return h("span", { class: "chip" }, "images");
    const gate = network.gate.get(gateName), row = gate?.rowOf.get(layer), status = row === undefined ? "none" : gate.status(row);
    return h("a", { class: `chip ${status}`, href: address(network, layer, gateName), title: WORDS[status] }, h("span", { class: `sign ${status}`, "aria-hidden": "true" }, SIGNS[status]), " ", broken(network.names[layer]));
  };
  const row = (title, layers, none) => h("div", { class: "connection" }, h("h3", {}, title), h("div", { class: "chips" }, layers.length ? layers.map(chip) : none));
  return h("div", { class: "connections" }, row("Takes", network.data.layers.inputs[number], "nothing"), row("Feeds", network.consumers[number], "nothing: it is the output"));
}

function gateTable(network, number, judged) {
  const lines = judged.flatMap((gate) => {
    const row = gate.rowOf.get(number), checks = gate.checks(row), problem = gate.data.problem[row];
    const head = h("th", { scope: "rowgroup", rowspan: Math.max(1, checks.length + (problem ? 1 : 0)) }, gate.name, h("br"), sign(gate.status(row)));
    const cells = [
      ...problem ? [[h("td", { colspan: 4, class: "problem" }, problem)]] : [],
      ...checks.map((check) => [h("td", {}, check.name), h("td", { class: "number" }, short(check.measured)), h("td", { class: "number" }, short(check.allowed)), h("td", {}, checkMeter(check))]),
    ];
    return cells.map((line, place) => h("tr", {}, place === 0 && head, line));
  });
  return scroller("Checks", h("table", { class: "checks" }, h("thead", {}, h("tr", {}, ["Gate", "Check", "Measured", "Allowed", "Share"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, lines)));
}

function checkMeter(check) {
  const share = check.allowed ? check.measured / check.allowed : check.measured ? Infinity : 0;
  return [h("span", { class: "number" }, marginText(share)), " ", meter(share, check.measured <= check.allowed)];
}

function gateView(report, network, number, gate) {
  const row = gate.rowOf.get(number), seen = gate.seen(row), notes = gate.data.notes[row] ?? [], why = gate.data.explained[row], element = gate.data.element[row];
  const test = gate.test(row);
  return h("div", { class: "gate-panel", role: "tabpanel", "data-gate": gate.name },
    why && h("p", {}, `Fails the ${gate.name} gate ${why[1]}.`),
    notes.length > 0 && h("ul", { class: "notes" }, notes.map((note) => h("li", {}, note))),
    element && h("p", {}, `Worst element [${element.index.join(", ")}]: port ${element.actual}, expected ${element.expected}; ${counted(element.exceeding)} of ${counted(element.size)} exceed.`),
    seen ? seenPlots(gate, seen) : VALUE_GATES.includes(gate.name) && h("p", { class: "empty" }, gate.passed(row) && gate.name.startsWith("exact") ? "Every element is the same to the last bit: there is no difference to show." : "Nothing was kept of its values."),
    seen?.closeup && closeupView(gate, seen.closeup),
    test && h("div", {}, h("h3", {}, "To repeat just this"), command(["pytest", quoted(test), report.run.arguments].filter(Boolean).join(" "))));
}

function seenPlots(gate, seen) {
  const sample = Math.min(seen.size, 4096), of = seen.size > sample ? `${counted(sample)} of ${counted(seen.size)} elements, drawn at random` : `all ${counted(seen.size)} elements`;
  return h("div", { class: "pair" },
    h("div", {}, h("h3", {}, "Differences"), h("p", { class: "small" }, `${of}; counts on a logarithmic scale`), plot("Histogram of the differences", 210, () => histogramSpec(seen))),
    h("div", {}, h("h3", {}, "Port against TensorFlow"), h("p", { class: "small" }, `${seen.points.length} elements${gate.name === "float32" ? "; TensorFlow in float64" : ""}; equal ones lie on the line`), plot("The port's values against TensorFlow's", 210, () => scatterSpec(seen))));
}

function closeupView(gate, closeup) {
  const at = closeup.worst[0][0], titles = { port: "Port", expected: gate.name === "float32" ? "TensorFlow (float64)" : "TensorFlow", difference: "Port − TensorFlow" };
  const maps = Object.entries(titles).filter(([key]) => closeup.maps[key]);
  return h("div", {},
    maps.length > 0 && h("div", {}, h("h3", {}, `Channel ${at[3]}, where the largest difference is`),
      h("div", { class: "maps" }, maps.map(([key, title]) => mapFigure(title, closeup.maps[key], key, at)))),
    h("h3", {}, "Worst elements"),
    scroller("Worst elements", h("table", { class: "checks" }, h("thead", {}, h("tr", {}, ["Index", "Port", "TensorFlow", "Difference"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, closeup.worst.map(([index, port, expected]) => h("tr", {}, h("td", { class: "number" }, `[${index.join(", ")}]`), h("td", { class: "number" }, port), h("td", { class: "number" }, expected), h("td", { class: "number" }, short(Number(port) - Number(expected)))))))));
}

function mapFigure(title, map, kind, at) {
  const picture = h("img", { src: `data:image/png;base64,${map.png}`, alt: `${title}: ${map.width} × ${map.height} values from ${short(value(map.low))} to ${short(value(map.high))}`, width: map.width, height: map.height });
  const spot = h("span", { class: "spot", title: `the largest difference: row ${at[1]}, column ${at[2]}`, style: `left:${100 * (at[2] + 0.5) / map.width}%;top:${100 * (at[1] + 0.5) / map.height}%` });
  return h("figure", { class: "map" }, h("figcaption", {}, title), h("div", { class: "frame" }, picture, spot),
    h("div", { class: `scale ${kind === "difference" ? "scale-difference" : "scale-values"}` }),
    h("div", { class: "ends" }, h("span", {}, short(value(map.low))), kind === "difference" && h("span", {}, "0"), h("span", {}, short(value(map.high)))));
}
