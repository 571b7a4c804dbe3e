// Counts this page once, and has the numbers shown where the page has a place for them.
// No cookie, and no storage but for those who choose not to be counted.
// <script async src="https://thongke.example.vn/counter.js" data-site="mytho"></script>

import { luot } from "./script.js";
import "./views.js";

// For blocks.js; and the mark by which a second copy of the script on a page stops. Only now: where
// an old browser has not come so far, the line for old browsers counts.
self.__luot = luot;
