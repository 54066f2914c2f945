// How a result looks: a sign and a word for the status, a shade for the margin. No meaning is in a colour alone.

const SIGNS = { passes: "✓", culprit: "◆", fails: "✕", downstream: "↓", repeated: "↻", none: "·" };
const WORDS = {
  passes: "passes",
  culprit: "culprit",
  fails: "fails",
  downstream: "downstream",
  repeated: "fails again",
  none: "not judged",
};
const MEANINGS = {
  culprit: "fails while every layer that feeds it passes",
  downstream: "fails behind a culprit",
  repeated: "failed a stronger gate already",
};

function sign(status) {
  return h(
    "span",
    { class: `sign ${status}`, title: MEANINGS[status] },
    h("span", { "aria-hidden": "true" }, SIGNS[status]),
    ` ${WORDS[status]}`,
  );
}

// Shades, each up to this share of what is allowed.
const BANDS = [
  [0, "0"],
  [0.01, "to 1 %"],
  [0.3, "to 30 %"],
  [0.6, "to 60 %"],
  [1, "to 100 %"],
  [1000, "fails: beyond"],
  [Infinity, "fails: over 1,000 times"],
];

function band(margin, passed) {
  if (margin === null || margin === undefined) return "none";
  if (!passed && !(margin > 1)) return 5;
  const place = BANDS.findIndex(([most]) => margin <= most);
  return place < 0 || margin === Infinity ? 6 : place;
}

function bandOf(gate, row) {
  return row === null || row === undefined ? "none" : band(gate.margins[row], gate.passed(row));
}

function legend() {
  return h(
    "ul",
    { class: "legend", "aria-label": "Shades: what was measured, as a share of what is allowed" },
    h("li", {}, "of what is allowed:"),
    BANDS.map(([, text], place) => h("li", {}, h("span", { class: `swatch band${place}` }), text)),
    h("li", {}, h("span", { class: "swatch bandnone" }), "not judged"),
    h("li", {}, h("span", { class: "sign culprit" }, "◆"), "culprit"),
  );
}

function meter(margin, passed) {
  if (margin === null) return null;
  // 1 lies at 60 % of the width; beyond, a decade takes 10 %.
  const width =
    margin <= 0 ? 0 : margin <= 1 ? Math.max(1, margin * 60) : Math.min(100, 60 + 10 * Math.log10(margin) + 2);
  return h(
    "span",
    { class: "meter", "aria-hidden": "true" },
    h("span", { class: passed ? "fill" : "fill over", style: `width:${Number.isFinite(width) ? width : 100}%` }),
    h("span", { class: "limit" }),
  );
}

function marginText(margin) {
  if (margin >= 1e4 && margin < Infinity) return margin.toExponential(1).replace("+", "");
  return margin === Infinity || Number.isNaN(margin) ? "∞" : margin === 0 ? "0" : short(Number(margin.toPrecision(3)));
}
