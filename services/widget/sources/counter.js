// Counts this page once and shows the site's numbers. No cookie, no storage.
// <script async src="https://thongke.example.vn/counter.js" data-site="mytho"></script>

import "./script.js";
import { arrived, ask } from "./numbers.js";
import { answers, measure, put, written } from "./slots.js";
import "./views.js";

// For blocks.js; and the mark by which a second copy of the script on a page stops.
self.__luot = [answers, arrived, ask, measure, put, written];
