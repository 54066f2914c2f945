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
  const inputs = network.data.layers.inputs, chain = chainOf(network, layers), chains = chainsOf(layers, chain);
  const outside = outsideOf(layers, inputs, chain), railed = railedOf(layers, inputs, chain, outside);
  const plan = { spots: new Map(), pills: [], rails: new Map(), titles: [], chain, empty: new Map(), groups: new Map(), x: OP.gap };
  railed.forEach((layer, place) => plan.rails.set(layer, 14 + place * OP.rail));
  plan.top = 34 + railed.length * OP.rail;
  // With a row for the pills of inputs, so that all chains begin at one height.
  plan.first = plan.top + (outside.size ? OP.pitch : 0);
  plan.end = plan.first;
  const columns = [...chains.keys()].filter((key) => !/ sum$|^output$/.test(key)).sort((one, other) => rank(one) - rank(other));
  columns.forEach((key, place) => placeColumn(plan, key, place && key.split(" ")[0] !== columns[place - 1].split(" ")[0], chains.get(key), inputs, [...outside].filter(([, other]) => other === key)));
  placeSums(plan, chains);
  return Object.assign(plan, { width: plan.x + OP.gap, height: plan.end + 22 });
}

// The layers of each chain; a side of a combination without layers, the identity, is an empty one.
function chainsOf(layers, chain) {
  const chains = new Map();
  for (const layer of layers) chains.set(chain(layer), [...chains.get(chain(layer)) ?? [], layer]);
  for (const key of [...chains.keys()].filter((one) => / sum$/.test(one))) {
    for (const side of ["left", "right"]) if (!chains.has(key.replace("sum", side))) chains.set(key.replace("sum", side), []);
  }
  return chains;
}

// Layers of other blocks that are taken, each with the chain that takes it first.
function outsideOf(layers, inputs, chain) {
  const own = new Set(layers), found = new Map();
  for (const layer of layers) for (const input of inputs[layer]) {
    if (!own.has(input) && !found.has(input)) found.set(input, chain(layer));
  }
  return found;
}

// What more than its own chain takes: each has a rail above the chains.
function railedOf(layers, inputs, chain, outside) {
  const takers = (layer) => layers.filter((other) => inputs[other].includes(layer));
  return [...layers.filter((layer) => takers(layer).some((other) => elsewhere(chain(layer), chain(other)))),
    ...[...outside].filter(([layer, first]) => takers(layer).some((other) => chain(other) !== first)).map(([layer]) => layer)];
}

function placeColumn(plan, key, apart, members, inputs, above) {
  const group = key.split(" ")[0], level = levels(members, inputs), width = widest(level) > 1 ? OP.width * 1.5 : OP.width;
  const x = plan.x + (apart ? OP.gutter : 0);
  if (!level.size) plan.empty.set(group, x + OP.width / 2);
  above.forEach(([layer], place) => plan.pills.push({ layer, x: x + place * width / above.length, y: plan.top, width: width / above.length - (above.length > 1 ? 4 : 0), height: OP.height }));
  for (const [layer, row] of level) {
    const peers = [...level].filter(([, other]) => other === row).map(([other]) => other), share = width / peers.length, inset = peers.length > 1 ? 1 : 0;
    plan.spots.set(layer, { x: x + peers.indexOf(layer) * share + inset, y: plan.first + row * OP.pitch, width: share - 3 * inset, height: OP.height });
  }
  plan.end = Math.max(plan.end, plan.first + Math.max(0, ...level.values()) * OP.pitch + OP.height);
  plan.groups.set(group, [plan.groups.get(group)?.[0] ?? x, x + width]);
  plan.x = x + width + OP.gap;
}

// The sums below the chains that they add, and below them what concatenates them.
function placeSums(plan, chains) {
  const sums = [...chains.keys()].filter((key) => / sum$/.test(key)).map((key) => key.split(" ")[0]), y = plan.end + OP.pitch - OP.height;
  for (const group of sums) {
    const [left, right] = plan.groups.get(group);
    chains.get(`${group} sum`).forEach((layer) => plan.spots.set(layer, { x: left, y, width: right - left, height: OP.height }));
    plan.titles.push([(left + right) / 2, plan.top + OP.height / 2 + 4, group]);
    plan.end = y + OP.height;
  }
  const spans = sums.length ? sums.map((group) => plan.groups.get(group)) : [[OP.gap, OP.gap + OP.width]];
  const left = Math.min(...spans.map(([from]) => from)), right = Math.max(...spans.map(([, to]) => to));
  for (const layer of chains.get("output") ?? []) {
    plan.spots.set(layer, { x: left, y: plan.end + OP.pitch - OP.height + 4, width: right - left, height: OP.height });
    plan.end += OP.pitch + 4;
  }
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
