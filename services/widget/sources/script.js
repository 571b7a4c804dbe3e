// The script tag itself: whose site this is, where Luot is, and what else was asked for.

export const script = document.currentScript || document.querySelector("script[data-site]");

/** The attributes of the tag: `site`, and perhaps `metric`, `format`, `local`. */
export const options = script.dataset;

/** Where Luot is: where the script came from. */
export const origin = new URL(script.src).origin;

// The build puts everything into one `try`: to throw is to leave, and nobody hears it.
if (!options.site || window.__luot) throw 0;

/** Whether this reader counts: not one on his own machine, or a program that drives a browser. */
export const counts =
  !navigator.webdriver &&
  /^http/.test(location.protocol) &&
  ("local" in options ||
    !/^127\.|^\[|\blocalhost$/.test(location.hostname));
