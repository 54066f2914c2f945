// The page: one overview, and a page of each layer, by the address behind the #.

import { byId, h } from "./dom.js";
import { Report } from "./model.js";
import { inflated } from "./numbers.js";
import { Router } from "./router.js";
import { startThemes } from "./themes.js";

startThemes();
inflated("data")
  .then((text) => {
    new Router(new Report(JSON.parse(text))).start();
    document.documentElement.dataset.ready = "yes";
  })
  .catch((error) => {
    byId("page").replaceChildren(h("p", { class: "limits" }, `This report cannot be shown: ${error.message}`));
    throw error;
  });
