// When a page is seen, and telling Luot of it: this view, and each one to come, once.

import { counts, options, origin } from "./script.js";
import { catchUp, read } from "./numbers.js";

const EVENT = origin + "/api/event";
const on = addEventListener;

let page, unseen, left, image;
let referrer = document.referrer;

/** What names the page within a site. A fragment does only where it is a route. */
const here = () => location.pathname + (/^#!?\//.test(location.hash) ? location.hash : "");

const send = () => {
  const hit = {
    n: "pageview",
    d: options.site,
    u: location.href.slice(0, 2000),
    r: referrer.slice(0, 2000)
  };
  referrer = location.href;
  image = () => {
    new Image().src = origin + "/hit.gif?" + new URLSearchParams(hit);
    image = 0;
  };
  if (!window.fetch) return image();
  // A string is sent as text/plain, which needs no preflight.
  fetch(EVENT, {
    method: "POST",
    keepalive: true,
    credentials: "omit",
    body: JSON.stringify(hit)
  }).catch(() => {});
};

// A hidden or prerendered page is a view when it is first seen.
const view = (later) => {
  page = here();
  // At the moment a prerendered page is shown, it may be visible before it is real: a hit sent
  // then still says that it was made for nobody.
  unseen = document.hidden || document.prerendering;
  if (unseen) return;
  if (counts) send();
  read(later);
};

// An application changes the address first, and then the page: its slots are not there yet.
const moved = () => here() !== page && view(500);

const after = (name, then) => {
  const change = history[name];
  history[name] = function () {
    change.apply(this, arguments);
    then();
  };
};

after("pushState", moved);
// To replace is to correct the address of a view that was counted.
after("replaceState", () => (page = here()));
on("popstate", moved);
on("hashchange", moved);
// A page that was left unseen, and is come back to, is seen for the first time: `looked` counts it.
on("pagehide", () => (left = !unseen));
on("pageshow", (event) => {
  if (event.persisted && left) view();
});
const looked = () => (unseen ? view() : catchUp());
document.addEventListener("visibilitychange", looked);
document.addEventListener("prerenderingchange", looked);
// The one failure that is known to have happened before Luot heard of the view: a policy forbids
// it ("enforce"), and does not only report it.
on("securitypolicyviolation", (event) => {
  if (image && event.disposition[0] === "e" && event.blockedURI === EVENT) image();
});
view();
