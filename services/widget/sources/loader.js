// Loads blocks.js, which shows the numbers, once the page has a place for them.

import { chooses, options, origin, own, root, script } from "./script.js";
import { bring, PLACES, WATCHED } from "./selectors.js";

let loaded, url, pause = 15e3;

const watching = new MutationObserver((changes) => bring(changes, PLACES) && look());

/** Load it if there is a place; else watch for one that comes later. */
export const look = () => {
  if (loaded) return;
  if (chooses || "shadow" in options || root.querySelector(PLACES)) {
    loaded = 1;
    watching.disconnect();
    // Only the blocks.js of the same build.
    const part = own("createElement").call(document, "script");
    part.onerror = () =>
      setTimeout(
        () => {
          loaded = 0;
          look();
        },
        // Half a minute, then twice as long each time, up to half an hour.
        (pause *= 1 + (pause < 1e6))
      );
    part.crossOrigin = "";
    part.nonce = script.nonce;
    part.integrity = "sha256-" + BLOCKS_HASH;
    if (!url) {
      url = origin + BLOCKS_PATH + BLOCKS_HASH;
      try {
        // Once: a second policy of the same name is refused.
        url = trustedTypes
          .createPolicy("luot", { createScriptURL: (url) => url })
          .createScriptURL(url);
      } catch {
        // A browser without trusted types, or a portal that allows no policy.
      }
    }
    part.src = url;
    root.append(part);
  } else watching.observe(document, WATCHED);
};
