// The script under the names that Plausible's has: counts as counter.js does, takes the site from
// `data-domain`, and the calls that modules made for Plausible expect.
// <script defer src="https://thongke.example.vn/js/script.js" data-domain="mytho.example"></script>

import { luot } from "./script.js";
import "./views.js";
import { take } from "./plausible-calls.js";

take();
self.__luot = luot;
