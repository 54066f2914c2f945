// The network as it is: blocks from left to right, each with the edges that its layers' inputs make.

const BOX = { width: 60, gap: 16, top: 58 };

function networkDrawing(network, gateName, opened, open) {
  const gate = network.gate.get(gateName),
    blocks = [...network.blocks.keys()];
  const place = new Map(blocks.map((name, number) => [name, number]));
  const boxes = blocks.map((name, number) => blockBox(network, gate, name, number));
  const most = Math.max(...boxes.map((box) => box.height)),
    middle = BOX.top + most / 2;
  const width = blocks.length * (BOX.width + BOX.gap) + BOX.gap,
    height = BOX.top + most + 30;
  const edges = [...blockEdges(network)].map((edge) => edge.split(">").map((name) => place.get(name)));
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      style: `min-width:${Math.round(width * 0.86)}px`,
      class: "network",
      role: "group",
      "aria-label": `${network.name}: blocks, shaded by the ${gateName} gate`,
    },
    edges.map(([from, to]) => blockEdge(from, to, middle, boxes)),
    boxes.map((box) => drawnBox(network, box, middle, box.name === opened, open)),
  );
  return scroller(`Drawing of ${network.name}`, picture);
}

function blockEdges(network) {
  const found = new Set();
  network.data.layers.inputs.forEach((inputs, layer) =>
    inputs.forEach((input) => {
      if (input < 0) return;
      const [from, to] = [block(network.names[input]), block(network.names[layer])];
      if (from !== to) found.add(`${from}>${to}`);
    }),
  );
  return found;
}

function blockBox(network, gate, name, number) {
  const layers = network.blocks.get(name),
    shape = network.data.layers.shape[layers.at(-1)];
  // The map behind the block; behind the last one there is none, so what enters it counts.
  const sides = (shape.length === 4 ? shape : network.data.layers.shape[layers[0]]).slice(1, 3);
  const rows = layers.map((layer) => gate?.rowOf.get(layer)).filter((row) => row !== undefined);
  const worst = rows.reduce((one, row) => (one === null || gate.margins[row] > gate.margins[one] ? row : one), null);
  const side = Math.max(...sides.map((length) => length ?? 1), 1);
  return {
    name,
    x: BOX.gap + number * (BOX.width + BOX.gap),
    height: 54 + 13 * Math.log2(side + 1),
    map: shape.length === 4 ? `${sides[0]}×${sides[1]}` : `${shape.at(-1)}`,
    channels: shape.length === 4 ? `× ${shape[3]}` : "values",
    failed: rows.filter((row) => !gate.passed(row)).length,
    judged: rows.length,
    total: layers.length,
    culprits: layers.filter((layer) => network.isCulprit(layer)).length,
    band: bandOf(gate, worst),
    margin: worst === null ? null : gate.margins[worst],
  };
}

function blockEdge(from, to, middle, boxes) {
  const [one, other] = [boxes[from], boxes[to]];
  if (to === from + 1)
    return svg("path", { class: "edge", d: `M${one.x + BOX.width} ${middle} H${other.x}`, "marker-end": "" });
  const rise =
    Math.max(one.height, other.height, ...boxes.slice(from, to + 1).map((box) => box.height)) / 2 +
    14 +
    7 * (to - from - 2);
  const [start, end] = [one.x + BOX.width - 14, other.x + 14],
    high = Math.max(8, middle - rise - 18);
  return svg("path", {
    class: "edge skip-edge",
    d: `M${start} ${middle - one.height / 2} C${start + 6} ${high} ${end - 6} ${high} ${end} ${middle - other.height / 2}`,
  });
}

function drawnBox(network, box, middle, opened, open) {
  const top = middle - box.height / 2,
    label = box.name.replace("cell_", "cell ").replace("cell stem_", "stem ").replace("final_layer", "final");
  const center = box.x + BOX.width / 2;
  const state = !box.judged ? "–" : box.failed ? `${counted(box.failed)} fail` : "✓";
  const words = `${box.name}: ${box.judged} of ${box.total} layers judged, ${box.failed} fail, ${box.culprits} culprits`;
  const group = svg(
    "g",
    {
      class: `block${opened ? " opened" : ""}`,
      role: "button",
      tabindex: "0",
      "aria-pressed": opened ? "true" : "false",
      "aria-label": words,
      "data-block": box.name,
      onclick: () => open(box.name),
      onkeydown: (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          open(box.name);
        }
      },
    },
    svg("title", {}, `${words}; worst at ${marginText(box.margin ?? 0)} of what is allowed`),
    svg("rect", { x: box.x, y: top, width: BOX.width, height: box.height, rx: 6, class: `shade band${box.band}` }),
    svg("text", { x: center, y: middle - 14, class: `strong on${box.band}` }, label),
    svg("text", { x: center, y: middle + 2, class: `tiny on${box.band}` }, box.map),
    svg("text", { x: center, y: middle + 14, class: `tiny on${box.band}` }, box.channels),
    svg("text", { x: center, y: middle + 31, class: `tiny on${box.band}` }, state),
    box.culprits > 0 &&
      svg(
        "g",
        { class: "flag" },
        svg("path", { d: `M${center} ${middle + box.height / 2 + 5} l7 7 l-7 7 l-7 -7 z` }),
        svg(
          "text",
          { x: center + 10, y: middle + box.height / 2 + 16, class: "tiny flag-text" },
          box.culprits > 1 ? `× ${box.culprits}` : "",
        ),
      ),
  );
  return group;
}
