// The places of a page that show numbers: what both scripts look for.

/** Elements that draw themselves. */
export const BLOCKS = "visitor-counter,most-read";

/** Elements that hold one number of the site. */
export const NUMBERS = "[data-luot]";

/** Elements that hold the views of a page. */
export const VIEWS = "[data-luot-views]";

/** Elements that hold the downloads of a file. */
export const FILES = "[data-luot-downloads]";

/** All of them, in one piece: counter.js needs no more, and has fewer bytes so. */
export const PLACES =
  "visitor-counter,most-read,[data-luot],[data-luot-views],[data-luot-downloads]";

/** An address without a fragment that is no route: `#/tin/1` and `#!/tin/1` are routes. */
export const routed = (address) => address.replace(/#(?!!?\/).*/, "");

const { matches, querySelector } = Element.prototype;

/** What to observe of a document, so that no place is missed. */
export const WATCHED = {
  childList: true,
  subtree: true,
  attributeFilter: ["data-luot", "data-luot-views", "data-luot-downloads"]
};

/** Whether any change of the page brings a place, or has one name something else. */
// A form with a field `matches` has no such method.
export const bring = (changes, places) =>
  changes.some(
    (change) =>
      change.attributeName ||
      [...change.addedNodes].some(
        (node) =>
          node.nodeType === 1 && (matches.call(node, places) || querySelector.call(node, places))
      )
  );
