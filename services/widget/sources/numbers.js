// Fetches the site's numbers: once a view, then at intervals while the page is visible.

import { counts, options, origin, script } from "./script.js";
import { answers, BLOCKS, fill, hasSlot, pathOf, redraw, requests, views } from "./slots.js";

// Constants are inlined: each name would cost bytes on every page.

// How many bytes of a query Luot takes; 7,000 are what every server in front of it takes.
let room = 24e3;
let timer, due, loaded, turn = 0, shown = 0, failures = 0;

/** Send a request about the site; resolve to its JSON, reject where it fails. */
export const ask = (path, query) =>
  // The browser revalidates its copy; 304 keeps it.
  fetch(`${origin}/api/${path}/${options.site}?${query}`, {
    cache: "no-cache",
    credentials: "omit"
  }).then((response) => {
    if (response.ok) return response.json();
    throw response;
  });

// Only the blocks.js of the same build.
const loadBlocks = () => {
  const part = document.createElement("script");
  let url = origin + BLOCKS_PATH + BLOCKS_HASH;
  loaded = 1;
  part.onerror = () => (loaded = 0);
  part.crossOrigin = "";
  part.nonce = script.nonce;
  part.integrity = "sha256-" + BLOCKS_HASH;
  try {
    url = trustedTypes.createPolicy("luot", { createScriptURL: (url) => url }).createScriptURL(url);
  } catch {
    // A browser without trusted types, or a portal that allows no policy.
  }
  part.src = url;
  document.head.append(part);
};

const readNow = () => {
  const requested = requests(), mine = ++turn;
  for (const metric in requested) {
    const rest = [...requested[metric]].slice(0, 500);
    metric in answers || (answers[metric] = 0);
    do {
      const query = new URLSearchParams(metric && { metric });
      for (let i = 0; i < 100 && rest[0] && `${query}`.length < room; i++) {
        query.append("path", rest.shift());
      }
      ask("counter", query)
        .then((answer) => {
          if (!(answer.total >= 0)) throw 0;
          failures = 0;
          // A slow older answer must not replace a newer one.
          if (mine < shown) return;
          shown = mine;
          answer.peak = (answer.peak || {}).online;
          // The reader is here, and has opened this page, counted already or not.
          answer.online = answer.online || +counts;
          answers[metric] = answer;
          for (const path in answer.paths) {
            views[path] = answer.paths[path].views || counts & (path === pathOf(script));
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
  if (!loaded && document.querySelector(BLOCKS)) loadBlocks();
};

/** Read the numbers after so many milliseconds, and regularly while the page is visible. */
export const read = (later) => {
  clearTimeout(timer);
  due = document.hidden;
  // An async script may be quicker than the page, which is "loading" then.
  if (document.readyState[0] === "l") addEventListener("DOMContentLoaded", read);
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

/** Read what was due while the page was hidden. */
export const catchUp = () => due && read();

/** Read for something new in the page, unless the first reading is yet to come. */
export const arrived = () => timer && read(50);

// Slots that are inserted later are filled from the last answers, or requested.
new MutationObserver((changes) => {
  if (changes.some((change) => [...change.addedNodes].some(hasSlot)) && fill()) arrived();
}).observe(document, { childList: true, subtree: true });
