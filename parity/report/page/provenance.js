// What was compared with what, on what.

function referenceName(report) {
  const { references } = report.provenance;
  const official = "the official TF-Slim PNASNet-5";
  const [first] = references;
  if (first.recorded) return `${official} as it is stored (${first.name})`;
  return `${references.map(({ name }) => (name === "official" ? official : name)).join(" and ")} in TensorFlow`;
}

function setting(report) {
  const { versions, machine, checkpoints, images } = report.provenance;
  const weights = [...new Set(checkpoints.map((row) => row.name))].join(", ");
  return (
    [
      weights && `Checkpoint: ${weights}`,
      images.length && plural(images.length, "photograph"),
      `torch ${versions.torch}`,
      `tensorflow ${versions.tensorflow}`,
      `${machine.cpu}, ${plural(machine.threads, "thread")}`,
    ]
      .filter(Boolean)
      .join("; ") + "."
  );
}

// The label that networks bear, where a reference's name does not tell it.
function numbered({ label, name }) {
  return label && label !== name.split(":")[0] && `${label}: `;
}

// What a stored reference was made by, and on what.
function recorded(made) {
  if (!made) return null;
  const when = made.created ? ` ${made.created.replace("T", " ").replace("+00:00", " UTC")}` : "";
  return h(
    "div",
    {},
    `made from ${made.reference}${when} by tensorflow ${made.versions.tensorflow} on ${made.cpu}, ` +
      plural(made.threads, "thread"),
  );
}

function provenanceSection(report) {
  const { provenance, run } = report;
  const digest = (text) => h("code", { title: text, class: "digest" }, text.slice(0, 12));
  const versions = Object.entries(provenance.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  const rows = [
    [
      provenance.references.length > 1 ? "References" : "Reference",
      provenance.references.map((one) =>
        h("div", {}, numbered(one), `${one.name} `, digest(one.sha256), recorded(one.recorded)),
      ),
    ],
    [
      "Checkpoint",
      provenance.checkpoints.length
        ? provenance.checkpoints.map((row) =>
            h("div", {}, `${row.variant}: ${row.name} `, row.sha256 && digest(row.sha256)),
          )
        : "none was used",
    ],
    [
      "Machine",
      `${provenance.machine.cpu}, ${plural(provenance.machine.threads, "thread")}, ${provenance.machine.system}`,
    ],
    ["Settings", provenance.settings.join(", ")],
    ["Versions", versions],
    [
      "Run",
      `${run.started.replace("T", " ").replace("+00:00", " UTC")}, ${seconds(run.seconds)}, exit code ${run.exit}; ${plural(run.tests, "test")} of pytest`,
    ],
    [
      "Images",
      !provenance.images.length
        ? "none was used"
        : h(
            "div",
            { class: "thumbs" },
            provenance.images.map((image) =>
              h(
                "figure",
                {},
                image.thumbnail && h("img", { src: `data:image/jpeg;base64,${image.thumbnail}`, alt: "" }),
                h("figcaption", {}, image.name, h("br"), digest(image.sha256), h("br"), image.networks.join(", ")),
              ),
            ),
          ),
    ],
    ["Command", command(run.command)],
  ];
  return section(
    "provenance",
    "What was compared",
    "Compared",
    h(
      "dl",
      { class: "facts" },
      rows.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))),
    ),
  );
}
