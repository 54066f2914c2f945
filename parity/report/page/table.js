// All results in one table, of which only the rows in sight exist.

// Heights as in style.css; on narrow screens a row has two lines.
const narrow = matchMedia("(max-width: 620px)");
const rowHeight = () => (narrow.matches ? 54 : 32);
const ORDER = { culprit: 0, fails: 1, repeated: 2, downstream: 3, passes: 4 };
const COLUMNS = [
  ["layer", "Layer", (row) => row.order],
  ["network", "Network", (row) => row.network.name],
  ["gate", "Gate", (row) => row.gate.place],
  ["status", "Status", (row) => ORDER[row.status]],
  ["margin", "Of allowed", (row) => row.margin],
  ["check", "Measured", (row) => row.check?.measured ?? -1],
];

function allRows(report) {
  const rows = [];
  report.networks.forEach((network, place) =>
    network.gates.forEach((gate, number) => {
      gate.place = number;
      gate.data.name.forEach((layer, row) =>
        rows.push({
          network,
          gate,
          layer,
          row,
          name: network.names[layer],
          status: gate.status(row),
          margin: gate.margins[row],
          order: layer + place * 1e5,
          get check() {
            return gate.worstCheck(row);
          },
        }),
      );
    }),
  );
  return rows;
}

class LayerTable {
  constructor(report) {
    this.rows = allRows(report);
    const failing = this.rows.some((row) => row.status !== "passes");
    this.filter = { network: "", gate: "", status: failing ? "failed" : "", text: "" };
    this.sort = { key: failing ? "status" : "margin", down: !failing };
    this.active = 0;
    this.search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search layers ( / )",
      "aria-label": "Search layers",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.set("text", this.search.value),
    });
    const gates = [...new Set(this.rows.map((row) => row.gate.name))];
    this.selects = h(
      "div",
      { class: "filters" },
      this.search,
      choice(
        "Network",
        "filter-network",
        [["", "all"], ...report.networks.map((network) => [network.name, network.name])],
        "",
        (key) => this.set("network", key),
      ),
      choice("Gate", "filter-gate", [["", "all"], ...gates.map((gate) => [gate, gate])], "", (key) =>
        this.set("gate", key),
      ),
      choice(
        "Show",
        "filter-status",
        [
          ["", "all"],
          ["failed", "all that fail"],
          ["culprit", "culprits"],
          ["passes", "all that pass"],
        ],
        this.filter.status,
        (key) => this.set("status", key),
      ),
    );
    this.count = h("p", { class: "small count", role: "status", "aria-live": "polite" });
    this.heads = h(
      "div",
      { class: "row head", role: "row" },
      COLUMNS.map(([key, title]) =>
        h(
          "div",
          { role: "columnheader", class: `c-${key}`, "data-column": key },
          h("button", { type: "button", onclick: () => this.sortBy(key) }, title),
        ),
      ),
    );
    this.sheet = h("div", { class: "sheet", role: "rowgroup" });
    this.view = h(
      "div",
      { class: "view", tabindex: "0", "aria-label": "Results; arrow keys move, Enter opens", role: "rowgroup" },
      this.sheet,
    );
    this.view.addEventListener("scroll", () => this.draw(), { passive: true });
    this.view.addEventListener("keydown", (event) => this.key(event));
    this.view.addEventListener("focus", () => this.draw());
    const longest = Math.max(...report.networks.map((network) => network.name.length));
    this.grid = h(
      "div",
      { class: "grid", role: "table", "aria-label": "Results", style: `--network:${longest}ch` },
      this.heads,
      this.view,
    );
    this.element = h("div", {}, this.selects, this.count, this.grid);
    new ResizeObserver(() => this.draw()).observe(this.view);
    narrow.addEventListener("change", () => this.update());
    this.update();
  }
  set(key, text) {
    this.filter[key] = text;
    this.update();
  }
  choose(filter) {
    Object.assign(this.filter, { network: "", gate: "", status: "", text: "" }, filter);
    for (const key of ["network", "gate", "status"])
      this.selects.querySelector(`#filter-${key}`).value = this.filter[key];
    this.search.value = this.filter.text;
    this.update();
  }
  sortBy(key) {
    this.sort = { key, down: this.sort.key === key ? !this.sort.down : key === "margin" || key === "check" };
    this.update();
  }
  update() {
    const { network, gate, status, text } = this.filter,
      words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = (row) =>
      (!network || row.network.name === network) &&
      (!gate || row.gate.name === gate) &&
      (!status ||
        (status === "failed"
          ? row.status !== "passes"
          : status === "culprit"
            ? row.status === "culprit" || (row.network.isCulprit(row.layer) && row.status !== "passes")
            : row.status === status)) &&
      words.every((word) => row.name.toLowerCase().includes(word));
    const of = COLUMNS.find(([key]) => key === this.sort.key)[2],
      down = this.sort.down ? -1 : 1;
    this.shown = this.rows
      .filter(kept)
      .map((row) => [of(row), row])
      .sort(
        ([one, first], [other, second]) =>
          (one === other ? 0 : one < other ? -down : down) ||
          first.order - second.order ||
          first.gate.place - second.gate.place,
      )
      .map(([, row]) => row);
    for (const head of this.heads.children)
      head.setAttribute(
        "aria-sort",
        head.dataset.column === this.sort.key ? (this.sort.down ? "descending" : "ascending") : "none",
      );
    this.count.textContent = `${counted(this.shown.length)} of ${counted(this.rows.length)} results`;
    this.grid.setAttribute("aria-rowcount", this.shown.length + 1);
    this.active = 0;
    this.sheet.style.height = `${Math.max(1, this.shown.length) * rowHeight()}px`;
    this.view.scrollTop = 0;
    this.draw();
  }
  draw() {
    const first = Math.max(0, Math.floor(this.view.scrollTop / rowHeight()) - 5),
      last = Math.min(this.shown.length, first + Math.ceil(this.view.clientHeight / rowHeight()) + 10);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(this.line(this.shown[place], place));
    this.sheet.replaceChildren(
      ...rows,
      ...(this.shown.length ? [] : [h("p", { class: "empty" }, "Nothing fits these filters.")]),
    );
  }
  line(row, place) {
    const check = row.check;
    const parts = {
      layer: h("a", { href: address(row.network, row.layer, row.gate.name), tabindex: "-1" }, row.name),
      network: row.network.name,
      gate: row.gate.name,
      status: sign(row.status),
      margin: [marginText(row.margin), meter(row.margin, row.status === "passes")],
      check: check ? `${short(check.measured)} / ${short(check.allowed)}` : "–",
    };
    const active = place === this.active;
    return h(
      "div",
      {
        class: `row${active ? " active" : ""}`,
        role: "row",
        "aria-rowindex": place + 2,
        "aria-selected": active ? "true" : "false",
        style: `top:${place * rowHeight()}px`,
        "data-place": place,
        onclick: (event) => {
          if (!event.target.closest("a")) {
            this.active = place;
            this.open();
          }
        },
      },
      COLUMNS.map(([key]) =>
        h(
          "div",
          {
            role: "cell",
            class: `c-${key}`,
            title: key === "layer" ? row.name : key === "check" && check ? `${check.name}: measured / allowed` : null,
          },
          parts[key],
        ),
      ),
    );
  }
  open() {
    const row = this.shown[this.active];
    if (row) location.hash = address(row.network, row.layer, row.gate.name);
  }
  key(event) {
    const page = Math.max(1, Math.floor(this.view.clientHeight / rowHeight()) - 1),
      end = this.shown.length - 1;
    const moves = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: end,
    };
    if (event.key === "Enter") {
      event.preventDefault();
      this.open();
      return;
    }
    if (!(event.key in moves) || end < 0) return;
    event.preventDefault();
    this.active = Math.max(0, Math.min(end, moves[event.key]));
    const top = this.active * rowHeight(),
      { scrollTop, clientHeight } = this.view;
    if (top < scrollTop) this.view.scrollTop = top;
    else if (top + rowHeight() > scrollTop + clientHeight) this.view.scrollTop = top + rowHeight() - clientHeight;
    this.draw();
  }
}
