// Elements are built, never parsed: whatever a name holds, it is text.

/**
 * What an element may hold: of null, undefined and false comes nothing.
 * @typedef {Node | string | null | undefined | false | Child[]} Child
 */
/**
 * An element's attributes, and by `on...` what is done at its events.
 * @typedef {object} Handlers
 * @property {(event: MouseEvent) => void} [onclick]
 * @property {(event: KeyboardEvent) => void} [onkeydown]
 * @property {(event: Event) => void} [oninput]
 */
/** @typedef {{ [name: string]: string | number | boolean | null | undefined | ((event: any) => void) }} Attributes */
/** @typedef {Handlers & Attributes} Properties */

/**
 * Build an element of HTML.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {...Child} children
 */
export function h(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/**
 * Build an element of a drawing.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {...Child} children
 */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

/**
 * @template {Element} Built
 * @param {Built} element
 * @param {Properties} properties
 * @param {Child[]} children
 */
function filled(element, properties, children) {
  for (const [name, setting] of Object.entries(properties)) {
    if (setting === undefined || setting === null || setting === false) continue;
    if (typeof setting === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (setting));
    } else element.setAttribute(name, setting === true ? "" : String(setting));
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {Child[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/**
 * Find an element of page.html.
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * Read a colour of style.css, as the theme has it.
 * @param {string} name
 */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
