// The slots for single numbers and the blocks of the page.

import { options } from "./script.js";

export const BLOCKS = "visitor-counter,most-read";

const NUMBERS = "[data-luot]";
const VIEWS = "[data-luot-views]";
const SEPARATORS = { dot: ".", comma: ",", space: "\u202f" };

/** Measure → the last good answer, 0 before the first; the site's own measure is "". */
export const answers = {};

/** Path → its views, once known. */
export const views = {};

const each = (selector, change) => document.querySelectorAll(selector).forEach(change);

/** The given measure, else that of the script tag, else "". */
export const measure = (metric) => metric || options.metric || "";

/** A count as text: with leading zeros, or with its thousands separated. */
export const written = (count, digits, format) =>
  digits > 0
    ? `${count}`.padStart(digits, "0")
    : `${count}`.replace(/\B(?=(\d{3})+$)/g, SEPARATORS[format] || "");

/** Set a text, unless it is set already. */
export const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** The path of the page that an element names, or of this one; the script tag names none. */
// With the query: on some portals it names the page. The server knows which parameters do.
export const pathOf = (slot) => {
  const link = document.createElement("a");
  link.href = slot.dataset.luotViews || location.href;
  return (link.pathname + link.search).slice(0, 1000);
};

/** What the page needs: measure → the paths of the pages whose views it shows. */
export const requests = () => {
  const paths = {};
  const add = (metric) => (paths[measure(metric)] = paths[measure(metric)] || new Set());
  each(NUMBERS, () => add());
  each(VIEWS, (slot) => {
    const path = pathOf(slot);
    // Not that of a mail address, or of nothing.
    if (path[0] === "/") add().add(path);
  });
  each(BLOCKS, (block) => {
    if (block.load) block.load();
    if (block.localName[0] === "v") add(block.getAttribute("metric"));
  });
  return paths;
};

/** Fill in the known numbers; return whether any is missing. */
export const fill = () => {
  const answer = answers[measure()] || {};
  let missing;
  const show = (slot, count) => {
    const { digits, format } = slot.dataset;
    if (count >= 0) {
      put(slot, written(count, digits, format || options.format || (answer.display || {}).format));
    } else missing = 1;
  };
  each(NUMBERS, (slot) => show(slot, answer[slot.dataset.luot]));
  each(VIEWS, (slot) => show(slot, views[pathOf(slot)]));
  return missing;
};

/** Have the blocks drawn again. */
export const redraw = () => each(BLOCKS, (block) => block.draw && block.draw());

const ANY = NUMBERS + "," + VIEWS;

/** Whether a node of the page is a slot, or holds one. */
export const hasSlot = (node) => node.matches && (node.matches(ANY) || node.querySelector(ANY));
