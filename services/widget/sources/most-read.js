// <most-read>: the pages with the most views, as links.

import { add, Block } from "./block.js";
import { ask } from "./numbers.js";
import { written } from "./slots.js";
import { MOST_READ } from "./words.js";

const MOST = 50;
const REFUSED = [400, 403, 404];

/** A path as Luot writes it: decoded, without a trailing slash. */
function named(path) {
  try {
    return decodeURI(path).replace(/(.)\/$/, "$1");
  } catch {
    return path;
  }
}

/** The title of a page: the text of a link to it, else the words of its address. */
function title(path) {
  const links = [...document.links].filter(
    (link) => link.host === location.host && link.textContent.trim()
  );
  const found = (written) =>
    links.find((link) => written(named(link.pathname)) + link.search === path);
  // Some sites count paths in lower case.
  const link = found(String) || found((path) => path.toLowerCase());
  if (link) return link.textContent.trim();
  const words = path
    .split("?")[0]
    .replace(/\.\w{2,5}$/, "")
    .split("/")
    .pop()
    .replace(/[-_+]+/g, " ")
    .trim();
  return words ? words[0].toUpperCase() + words.slice(1) : path;
}

export class MostRead extends Block {
  /** Request the pages; back off where that failed, and stop where it was refused. */
  arrived() {
    this.pause = 0;
    this.failures = 0;
    this.load();
  }

  limit() {
    return Math.min(Math.max(parseInt(this.getAttribute("limit"), 10) || 10, 1), MOST);
  }

  draw() {
    this.look();
    if (this.renew(this.getAttribute("heading") ?? this.words[MOST_READ], this.limit())) {
      this.list = add(this.box, "ol", "list");
      this.list.setAttribute("role", "list");
    }
    if (this.pages) this.fill();
  }

  load() {
    if (this.pause-- > 0) return;
    // Not again before this is answered.
    this.pause = Infinity;
    const period = this.getAttribute("period") || "7d";
    // One more than are shown: the home page is in every list, and says nothing.
    const query = new URLSearchParams({ period, limit: Math.min(this.limit() + 1, MOST) });
    ask("top", query, this.getAttribute("site"))
      .then(({ pages }) => {
        this.pages = pages.filter(({ path }) => path !== "/").slice(0, this.limit());
        this.failures = this.pause = 0;
        this.draw();
        if (this.pages[0]) this.reveal();
        else this.box.hidden = true;
      })
      .catch(({ status }) => {
        this.failures++;
        this.pause = REFUSED.includes(status) ? Infinity : 2 ** Math.min(this.failures, 5) - 1;
      });
  }

  fill() {
    const rows = JSON.stringify([this.pages, this.format, this.made]);
    if (rows === this.rows) return;
    this.rows = rows;
    this.list.textContent = "";
    for (const { path, views } of this.pages) {
      const line = add(this.list, "li", "line");
      // The portal's own address in front: "//other.example" is a path, too.
      add(line, "a", "link", title(path)).href = location.origin + path;
      line.append(" ");
      add(line, "span", "value", written(views, 0, this.format));
    }
  }
}
