// Is it parity, of what with what? If not, where does it begin?

// So many culprits of a network are shown at once.
const SHOWN = 3;
const JUDGEMENTS = { parity: "✓", partial: "◐", unfinished: "◌", error: "!", "no parity": "✕" };

function banner(report) {
  const { judgement, networks, provenance } = report;
  return h(
    "section",
    {
      id: "verdict",
      "data-brief": "Verdict",
      class: `banner ${judgement.kind.replace(" ", "-")}`,
      "aria-labelledby": "verdict-title",
    },
    h("p", { class: "mark", "aria-hidden": "true" }, JUDGEMENTS[judgement.kind]),
    h(
      "div",
      {},
      h("h1", { id: "verdict-title" }, judgement.words),
      h(
        "p",
        { class: "lead" },
        `${provenance.candidate ?? "The PyTorch port"} against `,
        referenceName(report),
        ": ",
        h("strong", {}, networks.map((network) => network.name).join(", ")),
        ". ",
        setting(report),
      ),
      networks
        .filter((network) => network.culprits.size)
        .map((network) =>
          h(
            "p",
            { class: "lead" },
            `In ${network.name} it begins at `,
            h(
              "a",
              { href: address(network, network.culprits.keys().next().value) },
              broken(network.names[network.culprits.keys().next().value]),
            ),
            network.culprits.size > 1 ? ` and ${plural(network.culprits.size - 1, "more layer")}.` : ".",
          ),
        ),
      judgement.limits.length > 0 &&
        h(
          "ul",
          { class: "limits" },
          judgement.limits.map((text) => h("li", {}, text)),
        ),
    ),
  );
}

// What the worst of a gate's results comes to.
function nearest(gate, row, status) {
  const check = gate.worstCheck(row);
  if (!check) return gate.data.problem[row] ? "not comparable" : "";
  if (check.allowed)
    return [`worst ${marginText(gate.margins[row])} × limit`, meter(gate.margins[row], status === "passes")];
  if (check.measured)
    return `worst: ${short(check.measured)} ${gate.name === "structure" ? "differences" : gate.name === "imagenet" ? "where none may be" : "elements differ"}`;
  return gate.name === "structure" ? "no difference" : "the same bits";
}

function tiles(report, choose) {
  return h(
    "div",
    { class: "tiles" },
    report.networks.map((network) =>
      h(
        "div",
        { class: "tile-row" },
        h("h3", {}, network.name),
        h(
          "div",
          { class: "tile-grid" },
          network.gates.map((gate) => tile(network, gate, choose)),
        ),
      ),
    ),
  );
}

function tile(network, gate, choose) {
  const worst = gate.margins.reduce(
    (place, margin, row) => (place < 0 || margin > gate.margins[place] ? row : place),
    -1,
  );
  const status = !gate.count ? "none" : gate.failed ? "fails" : "passes";
  const missing = gate.data.selected - gate.count;
  const lines = gate.count
    ? [
        h(
          "span",
          { class: "figure" },
          gate.failed ? `${counted(gate.failed)} of ${counted(gate.count)} fail` : plural(gate.count, "passes", "pass"),
        ),
        h("span", { class: "worst" }, worst < 0 ? "" : nearest(gate, worst, status)),
      ]
    : [h("span", { class: "figure" }, gate.data.selected ? "not finished" : "not selected")];
  const part =
    gate.count && gate.data.selected < gate.data.whole
      ? `selected ${counted(gate.data.selected)} of ${counted(gate.data.whole)}`
      : "";
  const time =
    gate.data.seconds === null
      ? gate.name === "float32" && gate.count
        ? "with float64"
        : ""
      : seconds(gate.data.seconds);
  return h(
    "button",
    {
      type: "button",
      class: `tile ${status}`,
      "data-tile": `${network.name}/${gate.name}`,
      onclick: () => choose(network, gate.name),
      disabled: !gate.count,
    },
    h(
      "span",
      { class: "gate" },
      h("span", { class: `sign ${status}`, "aria-hidden": "true" }, SIGNS[status]),
      gate.name,
    ),
    lines,
    h(
      "span",
      { class: "small" },
      [part, missing > 0 && gate.count ? `${counted(missing)} not made` : "", time].filter(Boolean).join(", ") || " ",
    ),
  );
}

function beginnings(report) {
  const failing = report.networks.filter((network) => network.culprits.size);
  if (!failing.length) return null;
  return section(
    "begins",
    "Where it begins",
    "Begins",
    failing.map((network) => {
      const cards = [...network.culprits.values()].map((culprit) => culpritCard(report, network, culprit));
      return h(
        "div",
        {},
        h("h3", {}, network.verdict.head),
        h("div", { class: "cards" }, cards.slice(0, SHOWN)),
        cards.length > SHOWN &&
          h(
            "details",
            {},
            h("summary", {}, `${plural(cards.length - SHOWN, "more culprit")}`),
            h("div", { class: "cards" }, cards.slice(SHOWN)),
          ),
      );
    }),
  );
}

function culpritCard(report, network, culprit) {
  const name = network.names[culprit.name];
  return h(
    "article",
    { class: "card" },
    h(
      "h4",
      {},
      h("span", { class: "sign culprit", "aria-hidden": "true" }, "◆ "),
      h("a", { href: address(network, culprit.name, culprit.gates[0]) }, broken(name)),
    ),
    culprit.hints.length ? h("p", { class: "hint" }, culprit.hints[0]) : h("p", {}, culprit.says),
    h("p", { class: "small" }, `${culprit.kind}; fails ${culprit.gates.join(", ")}`),
  );
}

// A layer's name may break behind its dots.
function broken(name) {
  return name.split(/(?<=[./])/).flatMap((part, place) => (place ? [h("wbr"), part] : [part]));
}
