"use strict";
// The document, as docs/report.md describes it, and what the page asks of it.

async function inflated(id) {
  const bytes = fromBase64(document.getElementById(id).textContent);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function fromBase64(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

// Numbers that JSON has none for come as text: inf, -inf, nan.
function value(number) {
  if (typeof number !== "string") return number;
  return { inf: Infinity, "-inf": -Infinity }[number] ?? NaN;
}

// What these judge is no part of the network, of which one would feed another.
const APART = ["preprocess", "imagenet"];
const BINS = 41,
  POINTS = 48,
  LEVELS = 254,
  NOT_FINITE = 255;

function block(name) {
  return name.split(/[./]/)[0];
}

class Gate {
  constructor(network, data) {
    Object.assign(this, { network, data, name: data.gate });
    this.rowOf = new Map(data.name.map((number, row) => [number, row]));
    this.seenOf = new Map(data.observed.row.map((row, place) => [row, place]));
    this.count = data.name.length;
    this.failed = data.passed.split("0").length - 1;
    this.margins = data.margin.map(value);
  }
  passed(row) {
    return this.data.passed[row] === "1";
  }
  // passes, culprit, downstream (of others that fail this gate), or repeated (it failed a stronger gate already)
  status(row) {
    if (this.passed(row)) return "passes";
    const reason = this.data.explained[row]?.[0] || "culprit";
    return reason === "culprit" && APART.includes(this.name) ? "fails" : reason;
  }
  checks(row) {
    return this.data.checks[row].map(([label, measured, allowed]) => ({
      name: this.data.labels[label],
      measured: value(measured),
      allowed: value(allowed),
    }));
  }
  worstCheck(row) {
    const ratio = (check) => (check.allowed ? check.measured / check.allowed : check.measured ? Infinity : 0);
    return this.checks(row).reduce((one, other) => (!one || ratio(other) > ratio(one) ? other : one), null);
  }
  // pytest's id of the row's test.
  test(row) {
    const number = this.data.test[row];
    return number < 0
      ? this.data.other_test[row]
      : `${this.data.tests[number]}${this.network.names[this.data.name[row]]}]`;
  }
  seen(row) {
    const place = this.seenOf.get(row);
    if (place === undefined) return null;
    const from = this.data.observed,
      count = from.row.length;
    this.counts ??= new Uint16Array(fromBase64(from.counts).buffer);
    this.points ??= fromBase64(from.points);
    const closeup = from.closeups[row];
    const levels = closeup
      ? fromBase64(closeup.points)
      : this.points.subarray(place * 2 * POINTS, (place + 1) * 2 * POINTS);
    const [low, high] = closeup ? [closeup.low, closeup.high] : [from.low[place], from.high[place]];
    return {
      size: from.size[place],
      scale: value(from.scale[place]),
      closeup,
      counts: this.counts.subarray(place * BINS, (place + 1) * BINS),
      points: pairs(levels, value(low), value(high)),
    };
  }
}

function pairs(levels, low, high) {
  const half = levels.length / 2,
    at = (level) => low + (level / LEVELS) * (high - low);
  const found = [];
  for (let i = 0; i < half; i++) {
    const [expected, port] = [levels[i], levels[half + i]];
    if (expected !== NOT_FINITE && port !== NOT_FINITE) found.push({ expected: at(expected), port: at(port) });
  }
  return found;
}

class Net {
  constructor(data) {
    Object.assign(this, data, { data });
    this.gates = data.gates.map((gate) => new Gate(this, gate));
    this.gate = new Map(this.gates.map((gate) => [gate.name, gate]));
    this.count = data.layers.kind.length;
    this.number = new Map(data.names.map((name, number) => [name, number]));
    this.consumers = Array.from({ length: this.count }, () => []);
    data.layers.inputs.forEach((inputs, layer) =>
      new Set(inputs).forEach((input) => input >= 0 && this.consumers[input].push(layer)),
    );
    this.blocks = new Map();
    for (let layer = 0; layer < this.count; layer++) {
      const name = block(this.names[layer]);
      if (!this.blocks.has(name)) this.blocks.set(name, []);
      this.blocks.get(name).push(layer);
    }
    this.culprits = new Map((data.verdict?.culprits ?? []).map((culprit) => [culprit.name, culprit]));
  }
  isCulprit(number) {
    return this.culprits.has(number);
  }
  shape(number) {
    return this.data.layers.shape[number]
      .slice(1)
      .map((side) => side ?? "?")
      .join(" × ");
  }
  row(gateName, number) {
    const gate = this.gate.get(gateName),
      row = gate?.rowOf.get(number);
    return row === undefined ? null : row;
  }
}

class Report {
  constructor(data) {
    Object.assign(this, data);
    this.networks = data.networks.map((network) => new Net(network));
    this.network = new Map(this.networks.map((network) => [network.name, network]));
  }
}
