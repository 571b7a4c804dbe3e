// What a page says to Plausible's script, as options of this one.

const chosen = () => (self.plausible && self.plausible.o) || {};

/** Where hits are sent: a proxy of the portal may stand in between. */
export const endpoint = (options, origin) => {
  const given = chosen().endpoint || options.api;
  return new URL(given || origin + "/api/event", location.href).href;
};

/** Add what is said elsewhere than in our own attributes; `path` is that of the script. */
export const adopt = (options, path) => {
  const given = chosen();
  // Several names are of several sites; a script of one site names none.
  options.site =
    options.site || (given.domain || options.domain || location.hostname).split(",")[0].trim();
  if (given.autoCapturePageviews === false || /\.manual\b/.test(path)) options.manual = "";
  if (given.outboundLinks || /\.outbound-links\b/.test(path)) options.outbound = "";
  if (given.captureOnLocalhost || /\.local\b/.test(path)) options.local = "";
};
