// When a page is seen, and telling Luot of it: once for each view.

import { options, origin } from "./script.js";
import { catchUp, read } from "./numbers.js";

let page, unseen, image;
let referrer = document.referrer;

// Who looks at a page on his own machine, or drives the browser by a program, is not a visitor.
const counts =
  !navigator.webdriver &&
  /^http/.test(location.protocol) &&
  ("local" in options ||
    !/^(localhost|127(\.\d+){3}|\[::1\]|.+\.localhost)$/.test(location.hostname));

/** What names the page within a site. A fragment does only where it is a route. */
function here() {
  return location.pathname + (/^#!?\//.test(location.hash) ? location.hash : "");
}

function send() {
  const hit = {
    d: options.site,
    u: location.href.slice(0, 2000),
    r: referrer.slice(0, 1000)
  };
  referrer = location.href;
  image = () => {
    new Image().src = origin + "/hit.gif?" + new URLSearchParams(hit);
    image = 0;
  };
  try {
    // A string is sent as text/plain, which needs no preflight.
    fetch(origin + "/api/event", {
      method: "POST",
      keepalive: true,
      credentials: "omit",
      body: JSON.stringify({ n: "pageview", ...hit })
    }).catch(() => {});
  } catch {
    image();
  }
}

// A hidden or prerendered page is a view when it is first seen.
function view(later) {
  page = here();
  // At the moment a prerendered page is shown, it may be visible before it is real: a hit sent
  // then still says that it was made for nobody.
  unseen = document.hidden || document.prerendering;
  if (unseen) return;
  if (counts) send();
  read(later);
}

// An application changes the address first, and then the page: its slots are not there yet.
function moved() {
  if (here() !== page) view(500);
}

function follow(name, then) {
  const change = history[name];
  history[name] = function () {
    change.apply(this, arguments);
    then();
  };
}

/** Count this view, and each one to come. */
export function watch() {
  follow("pushState", moved);
  // To replace is to correct the address of a view that was counted.
  follow("replaceState", () => {
    page = here();
  });
  addEventListener("popstate", moved);
  addEventListener("hashchange", moved);
  addEventListener("pageshow", (event) => {
    if (event.persisted) view();
  });
  const looked = () => {
    if (unseen) view();
    else catchUp();
  };
  document.addEventListener("visibilitychange", looked);
  document.addEventListener("prerenderingchange", looked);
  // The one failure that is known to have happened before Luot heard of the view.
  document.addEventListener("securitypolicyviolation", (event) => {
    if (image && event.disposition === "enforce" && event.blockedURI === origin + "/api/event") {
      image();
    }
  });
  view();
}
