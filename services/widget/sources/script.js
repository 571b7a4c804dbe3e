// The script tag: its site, its options, and where Luot is.

import { adopt } from "./plausible-options.js";

/** A property of the document: where a form of the page has its name, `document.name` is the form. */
export const own = (name) => Reflect.get(Document.prototype, name, document);

/** The page from its root on, for the same reason. */
export const root = own("documentElement");

export const script = own("currentScript") || root.querySelector("script[data-site]");

/** The attributes of the tag: `site`, and perhaps `metric`, `format`, `local`, `manual`, `exclude`,
 * `shadow`. */
export const options = script.dataset;

const url = new URL(script.src);

/** The origin of Luot: that of the script. */
export const origin = url.origin;

// Tag managers copy only the address: counter.js?site=mytho. The attribute is for frames and tools.
options.site = options.site || url.searchParams.get("site") || "";
if (PLAUSIBLE) adopt(options, url.pathname);

// The build wraps everything in one `try`: to throw is to stop silently.
if (!options.site || self.__luot) throw 0;

/** Whether this address is the dashboard's link for those whose own visits are not to be counted. */
export const chooses = /#luot=o/.test(location);

let ownVisits;
try {
  ownVisits = chooses || localStorage.luot;
} catch {
  // Storage is refused: nothing was chosen.
}

// Tags of Luot in a page around this one, also before they have run: then they have a `data-site`.
const tags =
  "script[data-site]," +
  (PLAUSIBLE ? `script[data-domain][src^="${origin}"]` : '[src*="js?site="]');

// frameElement is null where the page around the frame is of another origin. A tag may be gone when
// it has run.
/** Whether this page counts: not for those who chose so, on a local machine, nor in a browser driven
 * by a program, nor as a frame in a page of the portal that counts itself. */
export const counts =
  !ownVisits &&
  !navigator.webdriver &&
  !(frameElement && (parent.__luot || parent.document.querySelector(tags))) &&
  /^http/.test(location) &&
  ("local" in options ||
    !/^127\.|^\[|\blocalhost$/.test(location.hostname));

/** For blocks.js, which replaces `read` and `seen`.
 *
 * counts  whether the view that is shown was counted, once there is one
 * read  after so many milliseconds, because the page is another
 * seen  because the page is visible again
 */
export const luot = { options, origin, own, root, read() {}, seen() {} };
