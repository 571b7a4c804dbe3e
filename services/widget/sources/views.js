// Counts views: this one and each navigation, once each, when the page is first visible.

import { counts, options, origin } from "./script.js";
import { catchUp, read } from "./numbers.js";

const EVENT = origin + "/e";
const on = addEventListener;

let page, unseen, left, image;
let referrer = document.referrer;

/** The address of the page within its site; a fragment belongs to it only where it is a route. */
const here = () => location.pathname + (/^#!?\//.test(location.hash) ? location.hash : "");

const send = () => {
  const hit = {
    n: "pageview",
    d: options.site,
    u: location.href.slice(0, 2000),
    // The same when the browser repeats the request.
    k: Math.random(),
    r: referrer
  };
  referrer = hit.u;
  image = () => {
    new Image().src = origin + "/hit.gif?" + new URLSearchParams(hit);
    image = 0;
  };
  if (!self.fetch) return image();
  // A string is sent as text/plain, which needs no preflight.
  fetch(EVENT, {
    body: JSON.stringify(hit),
    keepalive: true,
    method: "POST",
    credentials: "omit"
  }).catch(() => {});
};

// A hidden or prerendered page is a view once it is visible.
const view = (later) => {
  page = here();
  // A prerendered page may be visible before it is activated: a hit sent then still says that it
  // was prerendered.
  unseen = document.hidden || document.prerendering;
  if (unseen) return;
  if (counts) send();
  read(later);
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
// A page that was left unseen is seen for the first time when restored: `looked` counts it.
on("pagehide", () => (left = !unseen));
on("pageshow", (event) => {
  if (event.persisted && left) view();
});
const looked = () => (unseen ? view() : catchUp());
// On their way down to the document: one of them does not bubble, nor does the other in Safari 13.
on("visibilitychange", looked, true);
on("prerenderingchange", looked, true);
// The one failure known to come before Luot received the view: a policy that forbids the request
// ("enforce"), and does not only report it.
on("securitypolicyviolation", (event) => {
  if (image && event.disposition < "f" && event.blockedURI === EVENT) image();
});
view();
