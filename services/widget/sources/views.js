// Counts views: this one and each navigation, once each, when the page is first visible; a page that
// says it was not found, as such; and clicks on files, as downloads, or on links to other hosts.

import { excluded } from "./excluded.js";
import { look } from "./loader.js";
import { endpoint } from "./plausible-options.js";
import { counts, luot, options, origin, own } from "./script.js";
import { routed } from "./selectors.js";

const EVENT = PLAUSIBLE ? endpoint(options, origin) : origin + "/e";
const on = addEventListener;

const manual = "manual" in options;

// `named` is the address that a portal with `data-manual` gives to its next view.
let page, named, unseen, left, image;
let referrer = own("referrer");

/** The address of the page; a fragment belongs to it only where it is a route. */
// A place within the page that is open leads to no other one.
const here = () => {
  const href = location.href, address = routed(href);
  return page && address !== href && address === page.split("#")[0] ? page : address;
};

// What the server did not find is the address that the document was opened at.
const missing = 404 in options && here();

/** An address without its query. */
const bare = (address) => address.replace(/\?[^#]*/, "");

const counted = () => counts && !excluded(named || location.href);

// A string is sent as text/plain, which needs no preflight. Returns the address of the page.
const send = (n, more) => {
  const hit = {
    n,
    d: options.site,
    u: (named || location.href).slice(0, 2000),
    // The same when the browser repeats the request.
    k: Math.random(),
    ...more
  };
  image = () => {
    new Image().src = origin + "/hit.gif?" + new URLSearchParams(hit);
    image = 0;
  };
  if (self.fetch) {
    fetch(EVENT, {
      body: JSON.stringify(hit),
      keepalive: true,
      method: "POST",
      credentials: "omit"
    })
      .then((response) => {
        const why = response.headers.get("X-Luot-Dropped");
        // foreign_host or unknown_site: what a portal's people can change.
        if (/_[hs]/.test(why)) console.warn("Luot: " + why, options.site, location.host);
      })
      .catch(() => {});
  } else image();
  return hit.u;
};

// A hidden or prerendered page is a view once it is visible.
const view = (later) => {
  const before = later && bare(page) === bare(here()) && page;
  page = here();
  // A prerendered page may be visible before it is activated: a hit sent then still says that it
  // was prerendered.
  unseen = own("hidden") || own("prerendering");
  if (unseen) return;
  luot.counts = (named || !manual) && counted();
  if (luot.counts) {
    // Of `before` only the query changed: the server knows whether that makes another page.
    referrer = send(
      // What an application shows later is another page than the one that the server did not find.
      !later && (named || page) === missing ? "404" : "pageview",
      { r: referrer, ...(before && { q: before.slice(0, 2000) }) }
    );
  }
  named = 0;
  look();
  luot.read(later);
};

// Applications change the address before the page: its slots are not there yet.
const moved = () => here() !== page && view(500);

const after = (name, then) => {
  const change = history[name];
  history[name] = (...given) => {
    change.apply(history, given);
    then();
  };
};

after("pushState", moved);
// replaceState corrects the address of a view that was counted.
after("replaceState", () => (page = here()));
on("popstate", moved);
on("hashchange", moved);
// Of those that do not go through the history.
if (self.navigation && navigation.addEventListener) {
  navigation.addEventListener("currententrychange", (event) =>
    event.navigationType === "replace" ? (page = here()) : moved()
  );
}
// A page that was left unseen is seen for the first time when restored: `looked` counts it.
on("pagehide", () => (left = !unseen));
on("pageshow", (event) => {
  if (event.persisted && left) view();
});
const looked = () => (unseen ? view() : luot.seen());
// On their way down to the document: one of them does not bubble, nor does the other in Safari 13.
on("visibilitychange", looked, true);
on("prerenderingchange", looked, true);
/** Count a click on a link, by the name of its event. */
export const followed = (name, url) =>
  counted() && send(name, { p: url });

/** Count this page as one that was not found, beside its view: as Plausible's users say it. */
export const lost = () => counted() && send("404", { r: own("referrer") });

// What has an ending that is none of a page's is a file; the server knows whose downloads count, and
// which hosts are the site's. A mailto: has no host.
const clicked = (event) => {
  const link = event.composedPath().find((node) => node.pathname);
  if (link && link.host && event.button < 2) {
    const out = "outbound" in options && link.host !== location.host;
    if (out || /\.(?!s?html?$|php|aspx?$|jsp)\w+(;.*|\/[\da-f-]{36})?$/i.test(link.pathname)) {
      followed(out ? "Outbound Link: Click" : "File Download", link.href);
    }
  }
};
on("click", clicked, true);
on("auxclick", clicked, true);
// The one failure known to come before Luot received the view: a policy that forbids the request
// ("enforce"), and does not only report it.
on("securitypolicyviolation", (event) => {
  if (image && event.disposition < "f" && event.blockedURI === EVENT) image();
});
/** Count a view of the page that is open, or of another one. */
// Where views are counted by themselves, too, `plausible("pageview")` says again what was counted.
export const seen = (path) => {
  if (PLAUSIBLE && !path && !manual) return moved();
  named = new URL(path || location, location).href;
  view();
};
if (manual) {
  // What was asked for before this script came waits in a list, as docs/embedding.md has it.
  const earlier = (self.luot && self.luot.q) || [];
  self.luot = { view: seen };
  view();
  earlier.forEach((given) => seen(given[0]));
} else view();
