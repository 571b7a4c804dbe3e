// Loads blocks.js, which shows the numbers, once the page has a place for them.

import { chooses, luot, options, own, root, script } from "./script.js";
import { BLOCKS, bring, FILES, NUMBERS, VIEWS, WATCHED } from "./selectors.js";

const PLACES = [BLOCKS, NUMBERS, VIEWS, FILES].join();
const AGAIN = 3e4;

let watching, loaded;

// Only the blocks.js of the same build.
const load = () => {
  const part = own("createElement").call(document, "script");
  let url = luot.origin + BLOCKS_PATH + BLOCKS_HASH;
  part.onerror = () =>
    setTimeout(() => {
      loaded = 0;
      look();
    }, AGAIN);
  part.crossOrigin = "";
  part.nonce = script.nonce;
  part.integrity = "sha256-" + BLOCKS_HASH;
  try {
    url = trustedTypes.createPolicy("luot", { createScriptURL: (url) => url }).createScriptURL(url);
  } catch {
    // A browser without trusted types, or a portal that allows no policy.
  }
  part.src = url;
  root.append(part);
};

/** Load it if there is a place; else watch for one that comes later. */
export const look = () => {
  if (!watching) {
    watching = new MutationObserver((changes) => bring(changes, PLACES) && look());
    watching.observe(document, WATCHED);
  }
  if (loaded || !(chooses || "shadow" in options || root.querySelector(PLACES))) return;
  loaded = 1;
  watching.disconnect();
  load();
};
