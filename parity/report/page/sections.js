// What is not of a single layer: the pixels that enter, the evaluation on ImageNet, and what the gates are known to catch.

function inputSection(report) {
  const rows = report.networks.flatMap((network) => {
    const gate = network.gate.get("preprocess");
    return (gate?.data.name ?? []).map((number, row) =>
      h(
        "tr",
        {},
        h("td", {}, h("a", { href: address(network, number, "preprocess") }, network.names[number])),
        h("td", {}, network.name),
        h("td", {}, sign(gate.status(row))),
        h(
          "td",
          {},
          gate.data.problem[row] ??
            (gate.passed(row) ? "the same bits" : null) ??
            gate
              .checks(row)
              .map((check) => `${check.name}: ${short(check.measured)}`)
              .join("; "),
        ),
      ),
    );
  });
  if (!rows.length) return null;
  return section(
    "input",
    "The pixels that enter",
    "Pixels",
    h(
      "p",
      {},
      "From the file's bytes on: decoded, cropped, scaled. Both sides' pixels have to be the same to the last bit.",
    ),
    scroller(
      "Preprocessing",
      h(
        "table",
        { class: "checks" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Image", "Network", "Status", "Values"].map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
  );
}

const SIDES = { official: "TensorFlow", port: "PyTorch port" };

function imagenetSection(report) {
  const found = report.imagenet;
  if (!found?.networks.length) return null;
  return section(
    "imagenet",
    "On ImageNet",
    "ImageNet",
    h(
      "ul",
      { class: "notes" },
      found.header.map((line) => h("li", {}, line.replace(/^imagenet: /, ""))),
    ),
    scroller("Accuracies", accuracyTable(found.networks)),
    found.networks.map((network) => agreement(network, found.thumbnails)),
  );
}

function accuracyTable(networks) {
  const figure = (part) => [
    h("td", { class: "number" }, part.percent.toFixed(3)),
    h("td", { class: "number faint" }, part.wilson_95.map((share) => (100 * share).toFixed(2)).join(" to ")),
  ];
  const rows = networks.flatMap((network) =>
    Object.keys(SIDES)
      .filter((side) => network[side])
      .map((side) =>
        h(
          "tr",
          {},
          h("td", {}, network.network),
          h("td", {}, SIDES[side]),
          h("td", { class: "number" }, counted(network.evaluated)),
          figure(network[side].top_1),
          figure(network[side].top_5),
        ),
      ),
  );
  return h(
    "table",
    { class: "checks" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Network", "Model", "Images", "Top-1 %", "95 % interval", "Top-5 %", "95 % interval"].map((text) =>
          h("th", { scope: "col" }, text),
        ),
      ),
    ),
    h("tbody", {}, rows),
  );
}

function agreement(network, thumbnails) {
  if (!network.same_best_class) return null;
  const flips = Object.entries(network.flips).map(
    ([rank, row]) =>
      `${rank.replace("_", "-")}: ${counted(row.official_only)} right in TensorFlow alone, ${counted(row.port_only)} in the port alone (McNemar p = ${short(row.mcnemar_p)})`,
  );
  const rows = network.disagreements,
    shown = rows.slice(0, 60);
  return h(
    "div",
    {},
    h("h3", {}, network.network),
    h(
      "p",
      {},
      `The same best class on ${counted(network.same_best_class.correct)} of ${counted(network.same_best_class.count)} images. ${flips.join("; ")}. `,
      `Largest logit difference ${short(network.largest_logit_difference)}; TensorFlow's own from float64 ${short(network.official_error.largest)}, on ${plural(network.official_error.measured_on, "image")}.`,
    ),
    rows.length > 0 &&
      h(
        "div",
        { class: "flips" },
        shown.map((row) =>
          h(
            "figure",
            { class: "flip" },
            thumbnails[row.name] && h("img", { src: `data:image/jpeg;base64,${thumbnails[row.name]}`, alt: "" }),
            h(
              "figcaption",
              {},
              h("strong", {}, row.name),
              h("br"),
              `top-${row.rank}, label ${row.label}: TensorFlow ${row.official.classes[0]} (${row.correct[0] ? "right" : "wrong"}), the port ${row.port.classes[0]} (${row.correct[1] ? "right" : "wrong"}); margin ${short(row.margin)}`,
            ),
          ),
        ),
      ),
    rows.length > shown.length &&
      h("p", { class: "small" }, `and ${counted(rows.length - shown.length)} more, in report.json`),
    network.failures.length > 0 &&
      h(
        "ul",
        { class: "notes" },
        network.failures.map((row) => h("li", {}, `${row.name} ${row.problem}`)),
      ),
  );
}

function faultSection(report) {
  const found = report.faults;
  if (!found) return null;
  const share = (count, of) => `${counted(count)} of ${counted(of)}`;
  const checks = found.checks.map((row, place) =>
    h(
      "tr",
      { class: place ? "" : "own" },
      h("th", { scope: "row" }, row.name),
      h("td", { class: "number" }, share(row.caught, found.trials)),
      h("td", { class: "number" }, share(row.localised, found.trials)),
      h("td", { class: "number" }, share(row["false alarms"], found.harmless)),
    ),
  );
  const faults = found.faults.map((row) =>
    h(
      "tr",
      {},
      h("td", {}, row.group),
      h("td", {}, row.name, row.port && h("span", { class: "faint" }, ` (in ${row.port})`)),
      h("td", { class: "number" }, share(row.caught, row.trials)),
      h("td", { class: "number" }, share(row.localised, row.trials)),
    ),
  );
  const table = (heads, rows) =>
    h(
      "table",
      { class: "checks" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((text) => h("th", { scope: "col" }, text)),
        ),
      ),
      h("tbody", {}, rows),
    );
  return section(
    "faults",
    "What these gates catch",
    "Faults",
    h(
      "p",
      {},
      `${counted(found.faults.length)} faults that conversions have, planted at ${counted(found.trials)} places, and ${counted(found.harmless)} harmless variations; what simpler checks make of the same values. Not of this run: `,
      h("code", {}, "pnasnet-parity faults"),
      " measures it, and docs/faults.md has it all.",
    ),
    scroller("Checks compared", table(["Check", "Caught", "Put at the right layers", "False alarms"], checks)),
    h(
      "details",
      {},
      h("summary", {}, `All ${counted(found.faults.length)} faults`),
      scroller("Faults", table(["Kind", "Fault", "Caught", "Put right"], faults)),
    ),
  );
}
