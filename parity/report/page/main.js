// The page: one overview, and a page of each layer, by the address behind the #.

function start(report) {
  firstChoice(report);
  const page = document.getElementById("page"),
    main = overview(report);
  // What is shown; and of the overview, where it was when a layer's page took its place.
  let shown = null,
    left = { top: 0, table: 0, focus: null };
  const links = [...main.querySelectorAll("section[id]")].map((part) => [part.id, part.dataset.brief]);
  document.getElementById("sections").append(
    ...links.map(([id, title]) =>
      h(
        "a",
        {
          href: "#/",
          onclick: (event) => {
            event.preventDefault();
            if (shown !== main) {
              history.pushState(null, "", "#/");
              route();
            }
            document.getElementById(id).scrollIntoView({ behavior: "smooth" });
          },
        },
        title,
      ),
    ),
  );
  function route() {
    const [networkName, layer, gate] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
    const network = report.network.get(networkName),
      number = network?.number.get(layer);
    const known = !networkName || number !== undefined;
    if (shown === main && number === undefined && known) return;
    if (shown === main) left = { top: scrollY, table: main.table.view.scrollTop, focus: document.activeElement };
    shown = number === undefined ? main : layerPage(report, network, number, gate);
    const notice = `This report has no ${[networkName, layer].filter(Boolean).join(" ")}.`;
    page.replaceChildren(...(known ? [] : [h("p", { class: "limits" }, notice)]), shown);
    tidyPlots(main);
    if (shown === main) restore();
    else {
      scrollTo(0, 0);
      shown.querySelector("h1").focus({ preventScroll: true });
    }
  }
  function restore() {
    scrollTo(0, left.top);
    main.table.view.scrollTop = left.table;
    main.table.draw();
    if (main.contains(left.focus)) left.focus.focus({ preventScroll: true });
  }
  addEventListener("hashchange", route);
  addEventListener("keydown", (event) => shortcut(event, main));
  route();
  showOpened(main);
}

// Where the drawing is wider than the window, the opened block is in sight.
function showOpened(main) {
  const opened = main.querySelector(".block.opened"),
    view = opened?.closest(".scroller");
  if (!view) return;
  const [box, frame] = [opened.getBoundingClientRect(), view.getBoundingClientRect()];
  view.scrollLeft += box.left + box.width / 2 - (frame.left + frame.width / 2);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function shortcut(event, main) {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    if (!main.isConnected) location.hash = "#/";
    setTimeout(() => {
      main.table.search.focus();
      main.table.search.scrollIntoView({ block: "center" });
    });
  } else if (event.key === "Escape") {
    if (typing && main.table.search === event.target) {
      main.table.search.value = "";
      main.table.set("text", "");
      main.table.search.blur();
    } else if (!main.isConnected) location.hash = "#/";
  } else if (event.key === "ArrowDown" && event.target === main.table.search) {
    event.preventDefault();
    main.table.view.focus();
  }
}

function themes() {
  const button = document.getElementById("theme"),
    system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const show = () => {
    const dark = (chosen ?? (system.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
    redrawPlots();
  };
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();
}

themes();
inflated("data")
  .then((text) => {
    start(new Report(JSON.parse(text)));
    document.documentElement.dataset.ready = "yes";
  })
  .catch((error) => {
    document
      .getElementById("page")
      .replaceChildren(h("p", { class: "limits" }, `This report cannot be shown: ${error.message}`));
    throw error;
  });
