// `plausible("pageview")`, `plausible("404")`, and clicks by their names, such as
// `plausible("File Download", { props: { url } })`; other events are not counted. Calls of before the
// script came wait in a list.

import { followed, lost, seen } from "./views.js";

/** Take the calls that wait, and those to come. */
export const take = () => {
  const earlier = (self.plausible && self.plausible.q) || [];
  const plausible = (self.plausible = (name, { u, url, props, callback } = {}) => {
    if (name === "pageview") seen(u || url);
    else if (name === "404") lost();
    else if (/^(File Do|Outbound)/.test(name) && props) followed(name, props.url);
    if (callback) callback({ status: 202 });
  });
  plausible.l = true;
  plausible.init = () => {};
  earlier.forEach((given) => plausible(...given));
};
