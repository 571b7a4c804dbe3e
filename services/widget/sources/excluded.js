// Paths that are never counted: `data-exclude="/quan-tri/**, /in/*"` on the script tag.

import { options } from "./script.js";

/** Whether the page at this address is not counted; its numbers are shown all the same. */
export const excluded = (address) => {
  const url = new URL(address);
  // A route is a path, too: `#/tin/1`, `#!/tin/1`.
  let paths = url.pathname + url.hash;
  try {
    // Both as written and as read: portals name either.
    paths += "#" + decodeURI(paths);
  } catch {
    // Not an escape: there is nothing to decode.
  }
  return (options.exclude || "").split(",").some((pattern) => {
    // `*` is any part of a path, `**` any number of them.
    pattern = pattern
      .trim()
      .replace(/[^\w*]/g, "\\$&")
      .replace(/\*+/g, (stars) => (stars[1] ? "[^#]*" : "[^/#]*"));
    return pattern && RegExp("(^|#!?)" + pattern + "/?([#?]|$)").test(paths);
  });
};
