// All sections of the page but those of single layers.

const state = { network: "", gate: "", block: "" };

function firstChoice(report) {
  const failing = report.networks.find((network) =>
    network.gates.some((gate) => gate.failed && gate.name !== "preprocess"),
  );
  const network = failing ?? report.networks.find((one) => one.count) ?? report.networks[0];
  const drawn = network.gates.filter((gate) => gate.count && gate.name !== "preprocess" && gate.name !== "imagenet");
  const gate = drawn.find((one) => one.failed) ?? drawn.at(-1);
  Object.assign(state, { network: network.name, gate: gate?.name ?? "" });
  state.block = interesting(network, state.gate);
}

// The block of the first culprit; where there is none, of the layer that comes nearest to what the gate allows.
function interesting(network, gateName) {
  const [first] = network.culprits.keys(),
    gate = network.gate.get(gateName);
  if (first !== undefined && first < network.count) return block(network.names[first]);
  const rows = [...(gate?.rowOf ?? [])].filter(([layer]) => layer < network.count);
  const worst = rows.reduce((one, row) => (!one || gate.margins[row[1]] > gate.margins[one[1]] ? row : one), null);
  return worst ? block(network.names[worst[0]]) : network.blocks.keys().next().value;
}

function overview(report) {
  const table = new LayerTable(report),
    drawing = h("div"),
    plots = h("div"),
    tools = h("div", { class: "tools" });
  const redraw = (withPlots = true) => {
    const network = report.network.get(state.network);
    const gates = network.gates.filter((gate) => gate.count && gate.name !== "preprocess" && gate.name !== "imagenet");
    if (!gates.some((gate) => gate.name === state.gate)) state.gate = gates.at(-1)?.name ?? "";
    if (!network.blocks.has(state.block)) state.block = interesting(network, state.gate);
    tools.replaceChildren(
      choice(
        "Network",
        "draw-network",
        report.networks.map((one) => [one.name, one.name]),
        state.network,
        (key) => {
          state.network = key;
          redraw();
        },
      ),
      choice(
        "Gate",
        "draw-gate",
        gates.map((gate) => [gate.name, gate.name]),
        state.gate,
        (key) => {
          state.gate = key;
          redraw(false);
        },
      ),
    );
    const open = (name) => {
      state.block = name;
      redraw(false);
      drawing.querySelector(`[data-block="${CSS.escape(name)}"]`)?.focus({ preventScroll: true });
    };
    if (network.count && gates.length)
      keepScroll(
        drawing,
        networkDrawing(network, state.gate, state.block, open),
        h(
          "h3",
          { class: "opened-title" },
          state.block,
          h("span", { class: "small" }, "  each operation opens its page"),
        ),
        cellDrawing(network, state.gate, state.block),
      );
    else drawing.replaceChildren(h("p", { class: "empty" }, "No layer of this network was judged."));
    if (withPlots) plots.replaceChildren(...[growth(network)].flat());
  };
  const choose = (network, gate) => {
    Object.assign(state, { network: network.name, gate });
    redraw();
    table.choose({ network: network.name, gate, status: network.gate.get(gate).failed ? "failed" : "" });
    document
      .getElementById(gate === "preprocess" || gate === "imagenet" || !network.count ? "layers" : "network")
      .scrollIntoView({ behavior: "smooth" });
  };
  redraw();
  const page = h(
    "div",
    { class: "overview" },
    banner(report),
    tiles(report, choose),
    beginnings(report),
    provenanceSection(report),
    ...(judgedLayers(report)
      ? [
          section(
            "network",
            "The network",
            "Network",
            h(
              "p",
              {},
              "Each block is shaded by the worst of its layers. A solid edge leads to the next block, a dashed one past it.",
            ),
            tools,
            legend(),
            drawing,
          ),
          section(
            "growth",
            "How the error grows",
            "Error",
            h("p", {}, "Layer by layer in the network's order; numbers are cells. A click on a point opens its layer."),
            plots,
          ),
        ]
      : []),
    section("layers", "All results", "Results", table.element),
    inputSection(report),
    imagenetSection(report),
    faultSection(report),
  );
  page.table = table;
  return page;
}

function judgedLayers(report) {
  return report.networks.some((network) => network.count > 0);
}

// Replaces what an element holds, and leaves its scrolled parts where they were.
function keepScroll(element, ...children) {
  const lefts = [...element.querySelectorAll(".scroller")].map((part) => part.scrollLeft);
  element.replaceChildren(...children);
  element.querySelectorAll(".scroller").forEach((part, place) => {
    part.scrollLeft = lefts[place] ?? 0;
  });
}
