// The slots for single numbers and the blocks of the page, also those in open shadow roots.

import { options, root } from "./page.js";
import { BLOCKS, FILES, NUMBERS, routed, VIEWS } from "./selectors.js";

// As languages have it: Vietnamese, English.
export const FORMATS = ["dot", "comma"];
const SEPARATORS = { dot: ".", comma: ",", space: "\u202f" };

/** What `wanted` names → the last good answer, 0 before the first. */
export const answers = {};

/** Stands before the path of a file, where pages and files are together: no path begins so. */
export const FILE = "\n";

/** Path → its views, once known; of a file, its downloads. */
export const views = {};

let roots = [root];

/** Look for the open shadow roots of the page; return the page and all of them. */
export const search = () => {
  roots = [root];
  // While it is gone through, it grows: one root may be within another. Blocks have nothing to fill.
  for (const place of roots) {
    place.querySelectorAll("*").forEach((element) => {
      if (element.shadowRoot && !element.box) roots.push(element.shadowRoot);
    });
  }
  return roots;
};

const each = (selector, change) =>
  roots.forEach((place) => place.querySelectorAll(selector).forEach(change));

/** Site and measure: those given, else those of the script tag; "" is the site's own measure. */
export const wanted = (metric, site) =>
  (site || options.site) + " " + (metric || options.metric || "");

/** A count as text: with leading zeros, or with its thousands separated. */
export const written = (count, digits, format) =>
  digits > 0
    ? `${count}`.padStart(digits, "0")
    : `${count}`.replace(/\B(?=(\d{3})+$)/g, SEPARATORS[format] || "");

/** Set a text, unless it is set already. */
export const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** The path of an address, or of this page. */
// With the query: on some portals it names the page. The server knows which parameters do.
export const pathAt = (given) => {
  const link = document.createElement("a");
  link.href = given || location.href;
  return routed(link.pathname + link.search + link.hash).slice(0, 1000);
};

/** The path of the page that an element names, or of this one. */
const pathOf = (slot) => pathAt(slot.dataset.luotViews);
// Of a file that is named, on a server.
const fileOf = (slot) => {
  const given = slot.dataset.luotDownloads, path = given && pathAt(given);
  return path && path[0] === "/" && FILE + path;
};

/** What the page needs: site and measure → the paths of the pages whose views it shows. */
export const requests = () => {
  const paths = {};
  const add = (metric, site) => {
    const name = wanted(metric, site);
    return (paths[name] = paths[name] || new Set());
  };
  each(NUMBERS, (slot) => add("", slot.dataset.luotSite));
  each(VIEWS, (slot) => {
    const path = pathOf(slot);
    // Not that of a mail address, or of nothing.
    if (path[0] === "/") add().add(path);
  });
  each(FILES, (slot) => fileOf(slot) && add().add(fileOf(slot)));
  each(BLOCKS, (block) => {
    if (block.load) block.load();
    if (block.localName[0] === "v") add(block.getAttribute("metric"), block.getAttribute("site"));
  });
  return paths;
};

/** Fill in the known numbers; return whether any is missing. */
export const fill = () => {
  const { display = {} } = answers[wanted()] || {};
  const usual = options.format || display.format || FORMATS[+/^en/i.test(display.lang || root.lang)];
  let missing;
  const show = (slot, count) => {
    const { digits, format } = slot.dataset;
    if (count >= 0) {
      put(slot, written(count, digits, format || usual));
    } else missing = 1;
  };
  each(NUMBERS, (slot) => {
    const { luot, luotSite } = slot.dataset;
    show(slot, (answers[wanted("", luotSite)] || {})[luot]);
  });
  each(VIEWS, (slot) => show(slot, views[pathOf(slot)]));
  each(FILES, (slot) => fileOf(slot) && show(slot, views[fileOf(slot)]));
  return missing;
};

/** Have the blocks drawn again. */
export const redraw = () => each(BLOCKS, (block) => block.draw && block.draw());
