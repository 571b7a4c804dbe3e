// The site's numbers: asked for once a view, then now and then, and written where they belong.

import { options, origin, script } from "./script.js";

const REFRESH_MS = 30_000;
const SEPARATORS = { dot: ".", comma: ",", space: "\u202f" };
const MAX_PATHS = 100;
const LONGEST = 1000;
const ELEMENTS = "visitor-counter,most-read";

/** Measure → the last good answer; the site's own measure is "". */
export const answers = {};

let timer, due, loaded, turn = 0, failures = 0;

function each(selector, change) {
  document.querySelectorAll(selector).forEach(change);
}

/** Return the measure asked for, else that of the script tag, else "". */
export function measure(metric) {
  return metric || options.metric || "";
}

/** Return a count as text: with leading zeros, or with its thousands parted. */
export function written(count, digits, format) {
  return digits > 0
    ? String(count).padStart(Math.min(digits, 20), "0")
    : String(count).replace(/\B(?=(\d{3})+$)/g, SEPARATORS[format] || "");
}

/** Write a text, unless it stands there. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Ask Luot; the answer is read as JSON. What fails is rejected. */
export function ask(path, query) {
  // The browser asks whether what it holds is the latest; 304 says yes.
  return fetch(origin + path + encodeURIComponent(options.site) + "?" + query, {
    cache: "no-cache",
    credentials: "omit"
  }).then((response) => (response.ok ? response.json() : Promise.reject()));
}

// The query goes along: on some portals it names the page. The server knows which.
function pathOf(slot) {
  const link = document.createElement("a");
  link.href = slot.dataset.luotViews || location.href;
  return (link.pathname + link.search).slice(0, LONGEST);
}

function fill(metric, answer) {
  const paths = answer.paths || {};
  const show = (slot, count) => {
    const { digits, format } = slot.dataset;
    if (count >= 0) put(slot, written(count, digits, format || options.format || (answer.display || {}).format));
  };
  answer.peak = (answer.peak || {}).online;
  answers[metric] = answer;
  if (metric === measure()) each("[data-luot]", (slot) => show(slot, answer[slot.dataset.luot]));
  each("[data-luot-views]", (slot) => show(slot, (paths[pathOf(slot)] || {}).views));
  each(ELEMENTS, (element) => element.draw && element.draw());
}

// As strict as the tag that the portal has chosen: with its hash, this has one, too.
function loadElements() {
  const part = document.createElement("script");
  const url = origin + BLOCKS_PATH;
  loaded = 1;
  part.crossOrigin = "anonymous";
  if (script.integrity) part.integrity = BLOCKS_INTEGRITY;
  part.src = window.trustedTypes
    ? trustedTypes.createPolicy("luot", { createScriptURL: () => url }).createScriptURL("")
    : url;
  document.head.append(part);
}

function readNow() {
  const wanted = {}, mine = ++turn;
  const want = (metric) => (wanted[measure(metric)] ||= new Set());
  each("[data-luot]", () => want());
  each("[data-luot-views]", (slot) => want().add(pathOf(slot)));
  each(ELEMENTS, (element) => {
    if (element.load) element.load();
    if (element.localName[0] === "v") want(element.getAttribute("metric"));
  });
  for (const metric in wanted) {
    const paths = [...wanted[metric]];
    do {
      const query = new URLSearchParams(metric && { metric });
      paths.splice(0, MAX_PATHS).forEach((path) => query.append("path", path));
      ask("/api/counter/", query)
        .then((answer) => {
          if (!(answer.total >= 0)) throw 0;
          failures = 0;
          // A slow older answer must not replace a newer one.
          if (mine === turn) fill(metric, answer);
        })
        .catch(() => failures++);
    } while (paths[0]);
  }
  if (!loaded && document.querySelector(ELEMENTS)) loadElements();
}

function readAtOnce() {
  read();
}

/** Read the numbers, in so many milliseconds; and from then on, while somebody looks. */
export function read(later) {
  clearTimeout(timer);
  due = document.hidden;
  // An async script may be quicker than the page.
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", readAtOnce);
  else if (later) timer = setTimeout(read, later);
  else if (!due) {
    // Readers must not ask in step, nor often where nobody answers.
    timer = setTimeout(read, REFRESH_MS * (1 + Math.random()) * 2 ** Math.min(failures, 5));
    try {
      readNow();
    } catch {
      // Without fetch, or where a policy forbids the elements: the page keeps its text.
    }
  }
}

/** Read what was due while nobody looked. */
export function catchUp() {
  if (due) read();
}

/** A block has come into the page: read, unless the first reading is yet to come. */
export function arrived() {
  if (timer) read(50);
}
