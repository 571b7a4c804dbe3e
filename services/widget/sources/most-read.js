// <most-read>: the pages with the most views, as links.

import { add, Block } from "./block.js";
import { ask } from "./numbers.js";
import { options } from "./page.js";
import { written } from "./slots.js";
import { MOST_READ } from "./words.js";

const MOST = 50;
const REFUSED = /40[034]/;

/** A path as Luot writes it: decoded, without a trailing slash. */
function named(path) {
  try {
    return decodeURI(path).replace(/(.)\/$/, "$1");
  } catch {
    return path;
  }
}

/** A link on this page to a page of a host. */
function linkTo(path, host) {
  const found = (written) =>
    [...document.links].find(
      (link) =>
        link.host === host &&
        link.textContent.trim() &&
        // With its route: `/app/#/tin/1` is `/app/tin/1`.
        written(named((link.pathname + link.hash).replace(/\/?#!?(?=\/)|#.*/, ""))) +
          link.search ===
          path
    );
  // Some sites count paths in lower case.
  return found(String) || found((path) => path.toLowerCase());
}

/** The words of an address. */
function wordsOf(path) {
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
    this.failures = this.pause = 0;
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
    const site = this.getAttribute("site") || options.site;
    ask("top", query, site)
      .then((top) => {
        this.at =
          (site === options.site ? location.origin : "https://" + top.host) +
          (top.hash_routes ? "/#" : "");
        this.pages = top.pages.filter(({ path }) => path !== "/").slice(0, this.limit());
        this.failures = this.pause = 0;
        this.draw();
        if (this.pages[0]) this.reveal();
        else this.box.hidden = true;
      })
      .catch(({ status }) => {
        this.failures++;
        this.pause = REFUSED.test(status) ? Infinity : 2 ** Math.min(this.failures, 5) - 1;
      });
  }

  fill() {
    const rows = JSON.stringify([this.pages, this.at, this.format, this.made]);
    if (rows === this.rows) return;
    this.rows = rows;
    this.list.textContent = "";
    const host = this.at.split("/")[2];
    for (const { path, views, title } of this.pages) {
      const line = add(this.list, "li", "line");
      // A site of which only patterns of hosts are known has no links.
      const link = host && linkTo(path, host);
      const text = title || (link ? link.textContent.trim() : wordsOf(path));
      const shown = add(line, "a", "link", text);
      // The portal's own address in front: "//other.example" is a path, too.
      if (host) shown.href = link ? link.href : this.at + path;
      line.append(" ");
      add(line, "span", "value", written(views, 0, this.format));
    }
  }
}
