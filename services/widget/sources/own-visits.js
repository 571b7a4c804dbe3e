// Not counting one's own visits: a link of the dashboard leads to a page of the portal with
// `#luot=off`, or `#luot=on`. What is chosen is kept in this browser, for this host.

import { root } from "./page.js";

const WORDS = {
  vi: {
    off: "Từ nay, lượt xem từ trình duyệt này không được tính trên ",
    on: "Từ nay, lượt xem từ trình duyệt này lại được tính trên ",
    refused: "Trình duyệt này không lưu được lựa chọn của bạn; lượt xem vẫn được tính trên "
  },
  en: {
    off: "From now on, views from this browser are not counted on ",
    on: "From now on, views from this browser are counted again on ",
    refused: "This browser cannot keep your choice; views are still counted on "
  }
};

/** Keep what the address chooses, and say so; the address is then that of the page again. */
export const choose = () => {
  let [, choice] = /^#luot=(off|on)$/.exec(location.hash) || [];
  if (!choice) return;
  try {
    if (choice === "off") localStorage.luot = choice;
    else localStorage.removeItem("luot");
  } catch {
    choice = "refused";
  }
  history.replaceState(history.state, "", location.pathname + location.search);
  alert(`Luot: ${(/^vi|^$/.test(root.lang) ? WORDS.vi : WORDS.en)[choice]}${location.host}.`);
};
