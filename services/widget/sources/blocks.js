// <visitor-counter> and <most-read>. counter.js loads this once, where a page has one of them.

import { MostRead } from "./most-read.js";
import { VisitorCounter } from "./visitor-counter.js";

customElements.define("visitor-counter", VisitorCounter);
customElements.define("most-read", MostRead);
