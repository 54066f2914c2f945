// Where a block's layers lie: chains side by side, sums below them, and rails above for what several chains take.

// Which chain a layer is of: prev or net (before the combinations), a side of a combination, its sum, or the output.
function chainOf(network, layers) {
  const own = new Set(layers),
    inputs = network.data.layers.inputs,
    part = (layer) => network.names[layer].split(".").slice(1);
  const before = layers.filter((layer) => !/^(comb_iter_|cell_output)/.test(part(layer)[0] ?? ""));
  const net = new Set(),
    end = before.filter((layer) => part(layer)[0] === "beginning_bn");
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
  const inputs = network.data.layers.inputs,
    chain = chainOf(network, layers),
    chains = chainsOf(layers, chain);
  const outside = outsideOf(layers, inputs, chain),
    railed = railedOf(layers, inputs, chain, outside);
  const plan = {
    spots: new Map(),
    pills: [],
    rails: new Map(),
    titles: [],
    chain,
    empty: new Map(),
    groups: new Map(),
    x: OP.gap,
  };
  railed.forEach((layer, place) => plan.rails.set(layer, 14 + place * OP.rail));
  plan.top = 34 + railed.length * OP.rail;
  // With a row for the pills of inputs, so that all chains begin at one height.
  plan.first = plan.top + (outside.size ? OP.pitch : 0);
  plan.end = plan.first;
  const columns = [...chains.keys()]
    .filter((key) => !/ sum$|^output$/.test(key))
    .sort((one, other) => rank(one) - rank(other));
  columns.forEach((key, place) =>
    placeColumn(
      plan,
      key,
      place && key.split(" ")[0] !== columns[place - 1].split(" ")[0],
      chains.get(key),
      inputs,
      [...outside].filter(([, other]) => other === key),
    ),
  );
  placeSums(plan, chains);
  return Object.assign(plan, { width: plan.x + OP.gap, height: plan.end + 22 });
}

// The layers of each chain; a side of a combination without layers, the identity, is an empty one.
function chainsOf(layers, chain) {
  const chains = new Map();
  for (const layer of layers) chains.set(chain(layer), [...(chains.get(chain(layer)) ?? []), layer]);
  for (const key of [...chains.keys()].filter((one) => / sum$/.test(one))) {
    for (const side of ["left", "right"])
      if (!chains.has(key.replace("sum", side))) chains.set(key.replace("sum", side), []);
  }
  return chains;
}

// Layers of other blocks that are taken, each with the chain that takes it first.
function outsideOf(layers, inputs, chain) {
  const own = new Set(layers),
    found = new Map();
  for (const layer of layers)
    for (const input of inputs[layer]) {
      if (!own.has(input) && !found.has(input)) found.set(input, chain(layer));
    }
  return found;
}

// What more than its own chain takes: each has a rail above the chains.
function railedOf(layers, inputs, chain, outside) {
  const takers = (layer) => layers.filter((other) => inputs[other].includes(layer));
  return [
    ...layers.filter((layer) => takers(layer).some((other) => elsewhere(chain(layer), chain(other)))),
    ...[...outside]
      .filter(([layer, first]) => takers(layer).some((other) => chain(other) !== first))
      .map(([layer]) => layer),
  ];
}

function placeColumn(plan, key, apart, members, inputs, above) {
  const group = key.split(" ")[0],
    level = levels(members, inputs),
    width = widest(level) > 1 ? OP.width * 1.5 : OP.width;
  const x = plan.x + (apart ? OP.gutter : 0);
  if (!level.size) plan.empty.set(group, x + OP.width / 2);
  above.forEach(([layer], place) =>
    plan.pills.push({
      layer,
      x: x + (place * width) / above.length,
      y: plan.top,
      width: width / above.length - (above.length > 1 ? 4 : 0),
      height: OP.height,
    }),
  );
  for (const [layer, row] of level) {
    const peers = [...level].filter(([, other]) => other === row).map(([other]) => other),
      share = width / peers.length,
      inset = peers.length > 1 ? 1 : 0;
    plan.spots.set(layer, {
      x: x + peers.indexOf(layer) * share + inset,
      y: plan.first + row * OP.pitch,
      width: share - 3 * inset,
      height: OP.height,
    });
  }
  plan.end = Math.max(plan.end, plan.first + Math.max(0, ...level.values()) * OP.pitch + OP.height);
  plan.groups.set(group, [plan.groups.get(group)?.[0] ?? x, x + width]);
  plan.x = x + width + OP.gap;
}

// The sums below the chains that they add, and below them what concatenates them.
function placeSums(plan, chains) {
  const sums = [...chains.keys()].filter((key) => / sum$/.test(key)).map((key) => key.split(" ")[0]),
    y = plan.end + OP.pitch - OP.height;
  for (const group of sums) {
    const [left, right] = plan.groups.get(group);
    chains
      .get(`${group} sum`)
      .forEach((layer) => plan.spots.set(layer, { x: left, y, width: right - left, height: OP.height }));
    plan.titles.push([(left + right) / 2, plan.top + OP.height / 2 + 4, group]);
    plan.end = y + OP.height;
  }
  const spans = sums.length ? sums.map((group) => plan.groups.get(group)) : [[OP.gap, OP.gap + OP.width]];
  const left = Math.min(...spans.map(([from]) => from)),
    right = Math.max(...spans.map(([, to]) => to));
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
  const found = new Map(),
    own = new Set(members);
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
