// A block opened: its operations in chains, the sums of the combinations, and the states they take, on rails above.

const OP = { width: 102, height: 25, pitch: 34, gap: 6, gutter: 22, rail: 11 };

function cellDrawing(network, gateName, name) {
  const layers = network.blocks.get(name),
    gate = network.gate.get(gateName);
  const plan = arranged(network, layers);
  const nodes = [...plan.spots].map(([layer, spot]) => operation(network, gate, layer, spot));
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${plan.width} ${plan.height}`,
      style: `min-width:${Math.round(plan.width * 0.78)}px;max-width:${plan.width * 1.1}px`,
      class: "cell",
      role: "group",
      "aria-label": `${name} of ${network.name}: operations and edges`,
    },
    plan.titles.map(([x, y, text]) => svg("text", { x, y, class: "tiny faint" }, text)),
    cellEdges(network, layers, plan),
    plan.pills.map((pill) => inputPill(network, pill)),
    nodes,
  );
  return scroller(`Drawing of ${name}`, picture);
}

function cellEdges(network, layers, plan) {
  const inputs = network.data.layers.inputs,
    spotOf = (layer) => plan.spots.get(layer) ?? plan.pills.find((pill) => pill.layer === layer);
  const middle = (spot) => spot.x + spot.width / 2;
  const paths = [];
  for (const layer of layers)
    for (const input of new Set(inputs[layer])) {
      const from = input < 0 ? null : spotOf(input),
        to = plan.spots.get(layer);
      if (!from) continue;
      const rail = plan.rails.get(input),
        chain = plan.chain(layer),
        group = chain.split(" ")[0];
      const direct =
        rail === undefined ||
        (plan.spots.has(input) ? !elsewhere(plan.chain(input), chain) : Math.abs(middle(from) - middle(to)) < OP.width);
      const [start, end] = [from.y + from.height, to.y];
      const inside = Math.min(Math.max(middle(from), to.x + 8), to.x + to.width - 8),
        across = to.width > from.width ? inside : middle(to);
      const className = `edge${rail !== undefined && !direct ? ` rail rail${[...plan.rails.keys()].indexOf(input) % 3}` : ""}`;
      const path = direct
        ? `M${middle(from)} ${start} C${middle(from)} ${start + 8} ${across} ${end - 8} ${across} ${end}`
        : `M${middle(from)} ${start} v5 H${from.x + from.width + 4 + ([...plan.rails.keys()].indexOf(input) % 3) * 3} V${rail} H${(/ sum$/.test(chain) && plan.empty.get(group)) || middle(to)} V${end}`;
      paths.push(svg("path", { class: className, d: path }));
    }
  return paths;
}

const OPERATIONS = {
  depthwise: "depthwise",
  pointwise: "pointwise",
  relu: "ReLU",
  relu_1: "ReLU",
  max_pool: "max pool",
  avg_pool: "avg pool",
  avg_pool_1: "avg pool",
  add: "sum",
  concat: "concat",
};

function operationLabel(name) {
  const parts = name.split("."),
    last = parts.at(-1),
    kernel = parts.at(-2)?.match(/separable_(\d+x\d+)/);
  const label = OPERATIONS[last] ?? (/(^|_)bn(_|$)/.test(last) ? "batch norm" : last);
  return kernel && last === "depthwise"
    ? `${label} ${kernel[1].replace("x", "×")}`
    : label.replace(/^(\d+)x(\d+)$/, "$1×$2");
}

function operation(network, gate, layer, spot) {
  const name = network.names[layer],
    row = gate?.rowOf.get(layer) ?? null,
    status = row === null ? "none" : gate.status(row);
  const culprit = network.isCulprit(layer) || status === "culprit",
    shade = bandOf(gate, row);
  const mark = culprit ? "◆" : status === "passes" || status === "none" ? "" : "✕";
  return svg(
    "a",
    { href: address(network, layer, gate?.name), class: `operation${culprit ? " is-culprit" : ""}`, "data-layer": name },
    svg(
      "title",
      {},
      `${name}: ${WORDS[status]}${row === null ? "" : `, at ${marginText(gate.margins[row])} of what is allowed`}; ${network.shape(layer)}`,
    ),
    svg("rect", { x: spot.x, y: spot.y, width: spot.width, height: spot.height, rx: 4, class: `shade band${shade}` }),
    mark && svg("text", { x: spot.x + 8, y: spot.y + spot.height / 2 + 4, class: `on${shade}` }, mark),
    svg(
      "text",
      { x: spot.x + spot.width / 2 + (mark ? 6 : 0), y: spot.y + spot.height / 2 + 4, class: `on${shade}` },
      fitting(operationLabel(name), spot.width),
    ),
  );
}

function fitting(text, width) {
  return text.length * 6 > width - 4 ? text.slice(0, Math.max(3, Math.floor((width - 8) / 6))) : text;
}

function inputPill(network, pill) {
  const name = pill.layer < 0 ? "images" : network.names[pill.layer];
  const box = [
    svg("rect", { x: pill.x, y: pill.y, width: pill.width, height: pill.height, rx: pill.height / 2, class: "pill" }),
    svg("text", { x: pill.x + pill.width / 2, y: pill.y + pill.height / 2 + 4 }, fitting(block(name), pill.width)),
  ];
  return pill.layer < 0
    ? svg("g", {}, box)
    : svg("a", { href: address(network, pill.layer) }, svg("title", {}, `from ${name}`), box);
}
