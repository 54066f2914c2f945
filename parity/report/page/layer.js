// A layer's own page: what every gate says of it, what was seen of its values, and what it is connected with.

function layerPage(report, network, number, gateName) {
  const name = network.names[number],
    judged = network.gates.filter((gate) => gate.rowOf.has(number));
  const failing = judged.find((gate) => !gate.passed(gate.rowOf.get(number)));
  const seen = judged.filter((gate) => gate.seenOf.has(gate.rowOf.get(number)));
  const chosen = judged.find((gate) => gate.name === gateName) ?? failing ?? seen.at(-1) ?? judged[0];
  const isLayer = number < network.count;
  return h(
    "article",
    { class: "layer", "aria-labelledby": "layer-title" },
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Report"), " › ", network.name, " › ", block(name)),
    h("h1", { id: "layer-title", tabindex: "-1" }, broken(name)),
    isLayer && h("p", { class: "lead" }, `${network.data.layers.kind[number]}, ${network.shape(number)}`),
    steps(network, number, chosen?.name),
    sourceStory(network, number),
    isLayer && connections(network, number, chosen?.name),
    h("h2", {}, "What the gates say"),
    judged.length
      ? gateTable(network, number, judged)
      : h("p", { class: "empty" }, "No gate judged this layer in this run."),
    chosen &&
      h(
        "div",
        { class: "gate-view" },
        h(
          "div",
          { class: "tabs", role: "tablist", "aria-label": "Gate" },
          judged.map((gate) =>
            h(
              "a",
              {
                role: "tab",
                "aria-selected": gate === chosen ? "true" : "false",
                href: address(network, number, gate.name),
              },
              gate.name,
            ),
          ),
        ),
        gateView(report, network, number, chosen),
      ),
  );
}

function steps(network, number, gate) {
  const link = (to, text) =>
    to >= 0 && to < network.names.length
      ? h("a", { href: address(network, to, gate), title: network.names[to] }, text)
      : h("span", { class: "faint" }, text);
  return h("p", { class: "steps" }, link(number - 1, "← previous"), " ", link(number + 1, "next →"));
}

function sourceStory(network, number) {
  const culprit = network.culprits.get(number),
    behind = network.verdict?.downstream[number];
  if (behind) {
    return h(
      "aside",
      { class: "story" },
      h(
        "p",
        {},
        h("strong", {}, "↓ Downstream. "),
        behind.length ? "It fails behind " : "It fails behind others.",
        behind
          .slice(0, 4)
          .map((layer, place) => [place ? ", " : "", h("a", { href: address(network, layer) }, network.names[layer])]),
        behind.length > 4 ? ` and ${behind.length - 4} more` : "",
      ),
    );
  }
  if (!culprit) return null;
  return h(
    "aside",
    { class: "story at-fault" },
    h("p", {}, h("strong", {}, `◆ Culprit: ${culprit.kind}. `), culprit.says, "."),
    culprit.hints.map((hint) => h("p", { class: "hint" }, hint)),
    culprit.replays.map((replay) =>
      h(
        "p",
        {},
        `Replay in ${replay.gate} ${replay.passed ? "passes" : "fails"}: `,
        replay.problem ||
          replay.checks
            .map(
              ([label, measured, allowed]) =>
                `${label}: measured ${short(value(measured))}, allowed ${short(value(allowed))}`,
            )
            .join("; "),
      ),
    ),
    culprit.unjudged.length > 0 &&
      h("p", {}, `Not judged in this run, though it feeds it: ${culprit.unjudged.join(", ")}`),
  );
}

function connections(network, number, gateName) {
  const chip = (layer) => {
    if (layer < 0) return h("span", { class: "chip" }, "images");
    const gate = network.gate.get(gateName),
      row = gate?.rowOf.get(layer),
      status = row === undefined ? "none" : gate.status(row);
    return h(
      "a",
      { class: `chip ${status}`, href: address(network, layer, gateName), title: WORDS[status] },
      h("span", { class: `sign ${status}`, "aria-hidden": "true" }, SIGNS[status]),
      " ",
      broken(network.names[layer]),
    );
  };
  const row = (title, layers, none) =>
    h(
      "div",
      { class: "connection" },
      h("h3", {}, title),
      h("div", { class: "chips" }, layers.length ? layers.map(chip) : none),
    );
  return h(
    "div",
    { class: "connections" },
    row("Takes", network.data.layers.inputs[number], "nothing"),
    row("Feeds", network.consumers[number], "nothing: it is the output"),
  );
}

function gateTable(network, number, judged) {
  const lines = judged.flatMap((gate) => {
    const row = gate.rowOf.get(number),
      checks = gate.checks(row),
      problem = gate.data.problem[row];
    const head = h(
      "th",
      { scope: "rowgroup", rowspan: Math.max(1, checks.length + (problem ? 1 : 0)) },
      gate.name,
      h("br"),
      sign(gate.status(row)),
    );
    const cells = [
      ...(problem ? [[h("td", { colspan: 4, class: "problem" }, problem)]] : []),
      ...checks.map((check) => [
        h("td", {}, check.name),
        h("td", { class: "number" }, short(check.measured)),
        h("td", { class: "number" }, short(check.allowed)),
        h("td", {}, checkMeter(check)),
      ]),
    ];
    return cells.map((line, place) => h("tr", {}, place === 0 && head, line));
  });
  return scroller(
    "Checks",
    h(
      "table",
      { class: "checks" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Gate", "Check", "Measured", "Allowed", "Share"].map((text) => h("th", { scope: "col" }, text)),
        ),
      ),
      h("tbody", {}, lines),
    ),
  );
}

function checkMeter(check) {
  const share = check.allowed ? check.measured / check.allowed : check.measured ? Infinity : 0;
  return [h("span", { class: "number" }, marginText(share)), " ", meter(share, check.measured <= check.allowed)];
}
