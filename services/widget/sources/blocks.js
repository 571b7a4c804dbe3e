// The numbers: in slots, and in <visitor-counter> and <most-read>. counter.js loads this once,
// where a page has a place for one.

import { MostRead } from "./most-read.js";
import { choose } from "./own-visits.js";
import { VisitorCounter } from "./visitor-counter.js";

customElements.define("visitor-counter", VisitorCounter);
customElements.define("most-read", MostRead);
choose();
