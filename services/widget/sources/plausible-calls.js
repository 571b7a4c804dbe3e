// `plausible("pageview")` and `plausible("File Download", { props: { url } })`; other events are not
// counted. Calls of before the script came wait in a list.

import { downloaded, seen } from "./views.js";

/** Take the calls that wait, and those to come. */
export const take = () => {
  const earlier = (self.plausible && self.plausible.q) || [];
  const plausible = (self.plausible = (name, { u, url, props, callback } = {}) => {
    if (name === "pageview") seen(u || url);
    else if (name === "File Download" && props) downloaded(props.url);
    if (callback) callback({ status: 202 });
  });
  plausible.l = true;
  plausible.init = () => {};
  earlier.forEach((given) => plausible(...given));
};
