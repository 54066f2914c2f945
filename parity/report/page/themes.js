// Light or dark, as the system has it, or as the button says.

import { byId } from "./dom.js";
import { redrawPlots } from "./plots.js";

/** Follow the system's theme until another one is chosen. */
export function startThemes() {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  /** @type {boolean | null} */
  let chosen = null;
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme !== "dark";
    show(button, chosen);
  });
  system.addEventListener("change", () => show(button, chosen ?? system.matches));
  show(button, system.matches);
}

/**
 * @param {HTMLElement} button
 * @param {boolean} isDark
 */
function show(button, isDark) {
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  button.textContent = isDark ? "Light" : "Dark";
  button.setAttribute("aria-label", isDark ? "Use light colours" : "Use dark colours");
  redrawPlots();
}
