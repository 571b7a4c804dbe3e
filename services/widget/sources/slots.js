// What stands in the page: slots for single numbers, and blocks.

import { options } from "./script.js";

export const BLOCKS = "visitor-counter,most-read";

const NUMBERS = "[data-luot]";
const VIEWS = "[data-luot-views]";
const SEPARATORS = { dot: ".", comma: ",", space: "\u202f" };

/** Measure → the last good answer, 0 before the first; the site's own measure is "". */
export const answers = {};

/** Path → its views, as far as they were told. */
export const views = {};

const each = (selector, change) => document.querySelectorAll(selector).forEach(change);

/** The measure asked for, else that of the script tag, else "". */
export const measure = (metric) => metric || options.metric || "";

/** A count as text: with leading zeros, or with its thousands parted. */
export const written = (count, digits, format) =>
  digits > 0
    ? `${count}`.padStart(digits, "0")
    : `${count}`.replace(/\B(?=(\d{3})+$)/g, SEPARATORS[format] || "");

/** Write a text, unless it stands there. */
export const put = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// The query goes along: on some portals it names the page. The server knows which.
const pathOf = (slot) => {
  const link = document.createElement("a");
  link.href = slot.dataset.luotViews || location.href;
  return (link.pathname + link.search).slice(0, 1000);
};

/** What the page asks for: measure → the paths of the pages whose views it shows. */
export const wishes = () => {
  const wanted = {};
  const want = (metric) => (wanted[measure(metric)] = wanted[measure(metric)] || new Set());
  each(NUMBERS, () => want());
  each(VIEWS, (slot) => {
    const path = pathOf(slot);
    // Not that of a mail address, or of nothing.
    if (path[0] === "/") want().add(path);
  });
  each(BLOCKS, (block) => {
    if (block.load) block.load();
    if (block.localName[0] === "v") want(block.getAttribute("metric"));
  });
  return wanted;
};

/** Fill in what is known; return whether anything is not. */
export const fill = () => {
  const answer = answers[measure()] || {};
  let lacking;
  const show = (slot, count) => {
    const { digits, format } = slot.dataset;
    if (count >= 0) {
      put(slot, written(count, digits, format || options.format || (answer.display || {}).format));
    } else lacking = 1;
  };
  each(NUMBERS, (slot) => show(slot, answer[slot.dataset.luot]));
  each(VIEWS, (slot) => show(slot, views[pathOf(slot)]));
  return lacking;
};

/** Have the blocks drawn again. */
export const redraw = () => each(BLOCKS, (block) => block.draw && block.draw());

const ANY = NUMBERS + "," + VIEWS;

/** Whether a node of the page is a slot, or holds one. */
export const hasSlot = (node) => node.matches && (node.matches(ANY) || node.querySelector(ANY));
