// Elements are built, never parsed: whatever a name holds, it is text.

function h(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, setting] of Object.entries(properties)) {
    if (setting === undefined || setting === null || setting === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), setting);
    else element.setAttribute(name, setting === true ? "" : setting);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

const counted = (number) => number.toLocaleString("en-US");

function plural(number, one, many = `${one}s`) {
  return `${counted(number)} ${number === 1 ? one : many}`;
}

function short(number) {
  if (number === null || number === undefined) return "–";
  if (number === Infinity) return "∞";
  if (Number.isNaN(number)) return "not a number";
  if (number === 0 || (Number.isInteger(number) && Math.abs(number) < 1e6)) return counted(number);
  const size = Math.abs(number);
  if (size >= 1e-3 && size < 1e5) return Number(number.toPrecision(4)).toString();
  const [mantissa, exponent] = number.toExponential(2).split("e");
  return `${mantissa}e${exponent.replace("+", "")}`;
}

function seconds(time) {
  return time === null ? "" : time < 10 ? `${time.toFixed(1)} s` : `${Math.round(time)} s`;
}

// As shlex.quote.
function quoted(text) {
  return text && /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

function command(text) {
  const button = h("button", { type: "button", class: "copy", onclick: () => copied(text, button) }, "Copy");
  return h("div", { class: "command" }, h("code", {}, text), button);
}

async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1500);
}

// `brief` is what the bar above the page calls it.
function section(id, title, brief, ...children) {
  return h(
    "section",
    { id, "data-brief": brief, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    ...children,
  );
}

// A wide thing that scrolls by itself, so that the page does not.
function scroller(label, ...children) {
  return h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": label }, ...children);
}

function choice(label, id, options, chosen, change) {
  const select = h(
    "select",
    { id, onchange: () => change(select.value) },
    options.map(([key, text]) => h("option", { value: key, selected: key === chosen }, text)),
  );
  return h("label", { class: "choice" }, h("span", {}, label), select);
}

function address(network, layer, gate) {
  return `#/${[network.name, network.names[layer], ...(gate ? [gate] : [])].map(encodeURIComponent).join("/")}`;
}
