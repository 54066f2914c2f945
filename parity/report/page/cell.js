// A block opened: its operations in chains, the sums of the combinations, and the states they take, on rails above.

const OP = { width: 102, height: 25, pitch: 34, gap: 6, gutter: 22, rail: 11 };

function cellDrawing(network, gateName, name) {
  const layers = network.blocks.get(name), gate = network.gate.get(gateName);
  const plan = arranged(network, layers);
  const nodes = [...plan.spots].map(([layer, spot]) => operation(network, gate, layer, spot));
  const picture = svg("svg", { viewBox: `0 0 ${plan.width} ${plan.height}`, style: `min-width:${Math.round(plan.width * 0.78)}px;max-width:${plan.width * 1.1}px`, class: "cell", role: "group", "aria-label": `${name} of ${network.name}: operations and edges` },
    plan.titles.map(([x, y, text]) => svg("text", { x, y, class: "tiny faint" }, text)),
    cellEdges(network, layers, plan), plan.pills.map((pill) => inputPill(network, pill)), nodes);
  return scroller(`Drawing of ${name}`, picture);
}

// Which chain a layer is of: prev or net (before the combinations), a side of a combination, its sum, or the output.
function chainOf(network, layers) {
  const own = new Set(layers), inputs = network.data.layers.inputs, part = (layer) => network.names[layer].split(".").slice(1);
  const before = layers.filter((layer) => !/^(comb_iter_|cell_output)/.test(part(layer)[0] ?? ""));
  const net = new Set(), end = before.filter((layer) => part(layer)[0] === "beginning_bn");
  while (end.length) {
    const layer = end.pop();
    if (net.has(layer) || !own.has(layer)) continue;
    net.add(layer);
    end.push(...inputs[layer]);
  }
  return (layer) => {
    const [first, second] = part(layer);
    if (first?.startsWith("comb_iter_")) return second === "combine" ? `${first} sum` : `${first} ${second}`;
    if (first === "cell_output") return "output";
    return !net.size || net.has(layer) ? "net" : "prev";
  };
}

function arranged(network, layers) {
  const inputs = network.data.layers.inputs, own = new Set(layers), chain = chainOf(network, layers);
  const chains = new Map();
  for (const layer of layers) chains.set(chain(layer), [...chains.get(chain(layer)) ?? [], layer]);
  // A side without layers, the identity, has a column too.
  for (const key of [...chains.keys()].filter((one) => / sum$/.test(one))) {
    for (const side of ["left", "right"]) if (!chains.has(key.replace("sum", side))) chains.set(key.replace("sum", side), []);
  }
  const columns = [...chains.keys()].filter((key) => !/sum$|^output$/.test(key)).sort((one, other) => rank(one) - rank(other));
  // Layers of other blocks that are taken: above the chain that takes them first.
  const outside = new Map();
  for (const layer of layers) for (const input of inputs[layer]) {
    if (!own.has(input) && !outside.has(input)) outside.set(input, chain(layer));
  }
  const state = (layer) => [...own].some((other) => inputs[other].includes(layer) && elsewhere(chain(layer), chain(other)));
  const railed = [...layers, ...outside.keys()].filter((layer) => own.has(layer) ? state(layer) : layers.filter((other) => inputs[other].includes(layer)).some((other) => chain(other) !== outside.get(layer)));
  const plan = { spots: new Map(), pills: [], rails: new Map(), titles: [], chain, empty: new Map() };
  const top = 20 + railed.length * OP.rail + 14;
  railed.forEach((layer, place) => plan.rails.set(layer, 14 + place * OP.rail));
  let x = OP.gap, last = "", deepest = 0;
  const bottoms = new Map(), lefts = new Map();
  for (const key of columns) {
    const group = key.split(" ")[0];
    if (last && (group !== last)) x += OP.gutter;
    last = group;
    const level = levels(chains.get(key), inputs), wide = widest(level);
    if (!level.size) plan.empty.set(group, x + OP.width / 2);
    const width = wide > 1 ? OP.width * 1.5 : OP.width;
    const above = [...outside].filter(([, other]) => other === key).map(([layer]) => layer);
    above.forEach((layer, place) => plan.pills.push({ layer, x: x + place * width / above.length, y: top, width: width / above.length - (above.length > 1 ? 4 : 0), height: OP.height }));
    // A row for the input's pill in each column before the combinations, so that chains begin at one height.
    const first = top + (outside.size ? OP.pitch : 0);
    for (const [layer, row] of level) {
      const peers = [...level].filter(([, other]) => other === row).map(([other]) => other), share = width / peers.length;
      plan.spots.set(layer, { x: x + peers.indexOf(layer) * share + (peers.length > 1 ? 1 : 0), y: first + row * OP.pitch, width: share - (peers.length > 1 ? 3 : 0), height: OP.height });
    }
    const depth = first + Math.max(0, ...level.values()) * OP.pitch + OP.height;
    bottoms.set(group, Math.max(bottoms.get(group) ?? 0, depth));
    if (!lefts.has(group)) lefts.set(group, [x, x + width]);
    lefts.get(group)[1] = x + width;
    deepest = Math.max(deepest, depth);
    x += width + OP.gap;
  }
  const line = deepest + (OP.pitch - OP.height);
  let end = deepest;
  for (const [key, members] of chains) {
    if (!/sum$/.test(key)) continue;
    const group = key.split(" ")[0], [left, right] = lefts.get(group) ?? [OP.gap, OP.gap + OP.width];
    members.forEach((layer) => plan.spots.set(layer, { x: left, y: line, width: right - left, height: OP.height }));
    plan.titles.push([(left + right) / 2, top + OP.height / 2 + 4, group]);
    end = line + OP.height;
  }
  (chains.get("output") ?? []).forEach((layer, place) => {
    const groups = [...lefts].filter(([group]) => group.startsWith("comb_iter_")).map(([, span]) => span);
    const left = Math.min(...groups.map(([from]) => from), x), right = Math.max(...groups.map(([, to]) => to), left + OP.width);
    end = end + OP.pitch - OP.height + 4;
    plan.spots.set(layer, { x: left, y: end, width: right - left, height: OP.height });
    end += OP.height;
  });
  return Object.assign(plan, { width: x + OP.gap, height: end + 22, top });
}

// Whether what one chain gives to another goes over a rail: not to its own sum, and not from a sum to the output.
function elsewhere(from, to) {
  return from !== to && to !== "output" && !(/ sum$/.test(to) && from.split(" ")[0] === to.split(" ")[0]);
}

function rank(key) {
  if (key === "prev") return 0;
  if (key === "net") return 1;
  const [, number, side] = key.match(/^comb_iter_(\d+) (.*)$/) ?? [0, 99, key];
  return 2 + 2 * Number(number) + (side === "right");
}

function levels(members, inputs) {
  const found = new Map(), own = new Set(members);
  for (const layer of members) {
    const feeding = inputs[layer].filter((input) => own.has(input) && found.has(input));
    found.set(layer, feeding.length ? 1 + Math.max(...feeding.map((input) => found.get(input))) : 0);
  }
  return found;
}

function widest(level) {
  const rows = [...level.values()];
  return Math.max(0, ...rows.map((row) => rows.filter((other) => other === row).length));
}

function cellEdges(network, layers, plan) {
  const inputs = network.data.layers.inputs, spotOf = (layer) => plan.spots.get(layer) ?? plan.pills.find((pill) => pill.layer === layer);
  const middle = (spot) => spot.x + spot.width / 2;
  const paths = [];
  for (const layer of layers) for (const input of new Set(inputs[layer])) {
    const from = input < 0 ? null : spotOf(input), to = plan.spots.get(layer);
    if (!from) continue;
    const rail = plan.rails.get(input), chain = plan.chain(layer), group = chain.split(" ")[0];
    const direct = rail === undefined || (plan.spots.has(input) ? !elsewhere(plan.chain(input), chain) : Math.abs(middle(from) - middle(to)) < OP.width);
    const [start, end] = [from.y + from.height, to.y];
    const inside = Math.min(Math.max(middle(from), to.x + 8), to.x + to.width - 8), across = to.width > from.width ? inside : middle(to);
    const className = `edge${rail !== undefined && !direct ? ` rail rail${[...plan.rails.keys()].indexOf(input) % 3}` : ""}`;
    const path = direct
      ? `M${middle(from)} ${start} C${middle(from)} ${start + 8} ${across} ${end - 8} ${across} ${end}`
      : `M${middle(from)} ${start} v5 H${from.x + from.width + 4 + ([...plan.rails.keys()].indexOf(input) % 3) * 3} V${rail} H${(/ sum$/.test(chain) && plan.empty.get(group)) || middle(to)} V${end}`;
    paths.push(svg("path", { class: className, d: path }));
  }
  return paths;
}

const OPERATIONS = { depthwise: "depthwise", pointwise: "pointwise", relu: "ReLU", relu_1: "ReLU", max_pool: "max pool", avg_pool: "avg pool", avg_pool_1: "avg pool", add: "sum", concat: "concat" };

function operationLabel(name) {
  const parts = name.split("."), last = parts.at(-1), kernel = parts.at(-2)?.match(/separable_(\d+x\d+)/);
  const label = OPERATIONS[last] ?? (/(^|_)bn(_|$)/.test(last) ? "batch norm" : last);
  return kernel && last === "depthwise" ? `${label} ${kernel[1].replace("x", "×")}` : label.replace(/^(\d+)x(\d+)$/, "$1×$2");
}

function operation(network, gate, layer, spot) {
  const name = network.names[layer], row = gate?.rowOf.get(layer) ?? null, status = row === null ? "none" : gate.status(row);
  const source = network.isSource(layer) || status === "source", shade = bandOf(gate, row);
  const mark = source ? "◆" : status === "passes" || status === "none" ? "" : "✕";
  return svg("a", { href: address(network, layer, gate?.name), class: `operation${source ? " is-source" : ""}`, "data-layer": name },
    svg("title", {}, `${name}: ${WORDS[status]}${row === null ? "" : `, at ${marginText(gate.margins[row])} of what is allowed`}; ${network.shape(layer)}`),
    svg("rect", { x: spot.x, y: spot.y, width: spot.width, height: spot.height, rx: 4, class: `shade band${shade}` }),
    mark && svg("text", { x: spot.x + 8, y: spot.y + spot.height / 2 + 4, class: `on${shade}` }, mark),
    svg("text", { x: spot.x + spot.width / 2 + (mark ? 6 : 0), y: spot.y + spot.height / 2 + 4, class: `on${shade}` }, fitting(operationLabel(name), spot.width)));
}

function fitting(text, width) {
  return text.length * 6 > width - 4 ? text.slice(0, Math.max(3, Math.floor((width - 8) / 6))) : text;
}

function inputPill(network, pill) {
  const name = pill.layer < 0 ? "images" : network.names[pill.layer];
  const box = [svg("rect", { x: pill.x, y: pill.y, width: pill.width, height: pill.height, rx: pill.height / 2, class: "pill" }),
    svg("text", { x: pill.x + pill.width / 2, y: pill.y + pill.height / 2 + 4 }, fitting(block(name), pill.width))];
  return pill.layer < 0 ? svg("g", {}, box) : svg("a", { href: address(network, pill.layer) }, svg("title", {}, `from ${name}`), box);
}
