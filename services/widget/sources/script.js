// The script tag: its site, its options, and where Luot is.

export const script = document.currentScript || document.querySelector("script[data-site]");

/** The attributes of the tag: `site`, and perhaps `metric`, `format`, `local`. */
export const options = script.dataset;

/** The origin of Luot: that of the script. */
export const origin = new URL(script.src).origin;

// The build wraps everything in one `try`: to throw is to stop silently.
if (!options.site || self.__luot) throw 0;

/** Whether this reader counts: not on a local machine, nor a browser driven by a program. */
export const counts =
  !navigator.webdriver &&
  /^http/.test(location.protocol) &&
  ("local" in options ||
    !/^127\.|^\[|\blocalhost$/.test(location.hostname));
