// <most-read>: the pages with the most views, as links.

import { add, ask, Block, written } from "./block.js";
import { MOST_READ } from "./words.js";

const LINE_EM = 1.9;

export class MostRead extends Block {
  arrived() {
    this.load();
  }

  limit() {
    return Math.min(Math.max(parseInt(this.getAttribute("limit"), 10) || 10, 1), 50);
  }

  draw() {
    const option = this.look();
    if (this.renew(this.getAttribute("heading") ?? this.words[MOST_READ], this.limit())) {
      this.list = add(this.box, "ol", "list");
      this.list.setAttribute("role", "list");
      // Not by an attribute, which a Content-Security-Policy may forbid.
      this.list.style.minHeight = this.limit() * LINE_EM + "em";
    }
    this.format = option("format");
    if (this.pages) this.fill();
  }

  load() {
    const period = this.getAttribute("period") || "7d";
    ask("/api/top/", new URLSearchParams({ period, limit: this.limit() }))
      .then(({ pages }) => {
        this.pages = pages.slice(0, this.limit());
        this.draw();
        this.reveal();
      })
      .catch(() => {});
  }

  fill() {
    const rows = JSON.stringify([this.pages, this.format, this.made]);
    if (rows === this.rows) return;
    this.rows = rows;
    this.list.textContent = "";
    for (const { path, title, views } of this.pages) {
      const line = add(this.list, "li", "line");
      // The portal's own address in front: "//other.example" is a path, too.
      add(line, "a", "link", title || path).href = location.origin + path;
      add(line, "span", "value", written(views, 0, this.format));
    }
  }
}
