// Fetches the site's numbers: once a view, then at intervals while the page is visible.

import { luot, options, origin, own, root } from "./page.js";
import { BLOCKS, bring, FILES, NUMBERS, VIEWS, WATCHED } from "./selectors.js";
import { answers, FILE, fill, pathAt, redraw, requests, search, views } from "./slots.js";

const SLOTS = [NUMBERS, VIEWS, FILES].join();
const PLACES = [SLOTS, BLOCKS].join();
// Those of blocks.js are about to be.
const UNDEFINED = ":not(:defined):not(visitor-counter):not(most-read)";

// Constants are inlined: each name would cost bytes on every page.

// How many bytes of a query Luot takes; 7,000 are what every server in front of it takes.
let room = 24e3;
let timer, due, turn = 0, shown = 0, failures = 0;

/** Send a request about a site; resolve to its JSON, reject where it fails. */
export const ask = (path, query, site) =>
  // The browser revalidates its copy; 304 keeps it.
  fetch(`${origin}/api/${path}/${site || options.site}?${query}`, {
    cache: "no-cache",
    credentials: "omit"
  }).then((response) => {
    if (response.ok) return response.json();
    throw response;
  });

const readNow = () => {
  watch();
  const requested = requests(), mine = ++turn;
  for (const name in requested) {
    const rest = [...requested[name]].slice(0, 500);
    const [site, metric] = name.split(" ");
    name in answers || (answers[name] = 0);
    do {
      const query = new URLSearchParams(metric && { metric });
      // At least one, or it would never end.
      for (let i = 0; i < 100 && rest[0] && (!i || `${query}`.length < room); i++) {
        const [path, file] = rest.shift().split(FILE);
        query.append(file ? "download" : "path", file || path);
      }
      ask("counter", query, site)
        .then((answer) => {
          if (!(answer.total >= 0)) throw 0;
          failures = 0;
          // A slow older answer must not replace a newer one.
          if (mine < shown) return;
          shown = mine;
          answer.peak = (answer.peak || {}).online;
          // The reader is here, and has opened this page, counted already or not.
          answer.online = answer.guests = answer.online || +(luot.counts && site === options.site);
          answers[name] = answer;
          for (const path in answer.paths) {
            views[path] = answer.paths[path].views || luot.counts & (path === pathAt());
          }
          for (const file in answer.downloads) {
            views[FILE + file] = answer.downloads[file].downloads;
          }
          fill();
          redraw();
        })
        .catch(() => {
          failures++;
          if (room > 7e3 && `${query}`.length > 7e3) {
            room = 7e3;
            read(50);
          }
        });
    } while (rest[0]);
  }
};

/** Read the numbers after so many milliseconds, and regularly while the page is visible. */
export const read = (later) => {
  clearTimeout(timer);
  due = own("hidden");
  // An async script may be quicker than the page, which is "loading" then.
  if (own("readyState")[0] === "l") addEventListener("DOMContentLoaded", read);
  else if (later) timer = setTimeout(read, later);
  else if (!due) {
    // Jitter keeps readers from asking in step; failures back off.
    timer = setTimeout(read, 3e4 * (1 + Math.random()) * 2 ** Math.min(failures, 5));
    try {
      readNow();
    } catch {
      // Without fetch, or where a policy forbids the blocks: the page keeps its text.
    }
  }
};

// What was due while the page was hidden is read when it is seen.
luot.read = read;
luot.seen = () => due && read();

/** Read for something new in the page, unless the first reading is yet to come. */
export const arrived = () => timer && read(50);

const { querySelectorAll } = Element.prototype;
const known = new WeakSet(), awaited = {};

const found = () => watch() && fill() && arrived();

/** Watch the page and its open shadow roots; tell whether a new one of them has a place. */
const watch = () => {
  let more;
  search().forEach((place) => {
    if (!known.has(place)) {
      known.add(place);
      watcher.observe(place === root ? document : place, WATCHED);
      more = more || place.querySelector(PLACES);
    }
    // The root of an element comes when it is defined.
    place.querySelectorAll(UNDEFINED).forEach(({ localName }) => {
      awaited[localName] = awaited[localName] || customElements.whenDefined(localName).then(found);
    });
  });
  return more;
};

// A form with a field `querySelectorAll` has no such method.
const rooted = (node) =>
  node.nodeType === 1 &&
  [node, ...querySelectorAll.call(node, "*")].some((element) => element.shadowRoot && !element.box);

// Slots that are inserted later, or name another page, are filled from the last answers, or
// requested; and so are those of a shadow root that comes with an element.
const watcher = new MutationObserver((changes) => {
  const more = changes.some(({ addedNodes }) => [...addedNodes].some(rooted)) && watch();
  if ((bring(changes, SLOTS) || more) && fill()) arrived();
});

read();
