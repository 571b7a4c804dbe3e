// Paths that are never counted: `data-exclude="/quan-tri/**, /in/*"` on the script tag.

import { options } from "./script.js";

// `*` is any part of a path, `**` any number of them.
const given = (options.exclude || "").split(",").filter((pattern) => pattern.trim());
const patterns = given.map((pattern) => {
  const escaped = pattern.trim().replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp("^" + escaped.replace(/\*+/g, (stars) => (stars[1] ? ".*" : "[^/]*")) + "/?$");
});

/** Whether the page at this address is not counted; its numbers are shown all the same. */
export const excluded = (address) =>
  patterns.some((pattern) => pattern.test(new URL(address).pathname));
