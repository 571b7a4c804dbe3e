// What both elements are: a shadow root with a box, a heading and a list in it.

import { WORDS } from "./words.js";

export const { answers, arrived, ask, measure, put, written } = window.__luot;

let made;

/** Return the style, which no Content-Security-Policy forbids; none in a browser that is too old. */
function sheets() {
  try {
    if (!made) {
      made = new CSSStyleSheet();
      made.replaceSync(STYLE);
    }
    return [made];
  } catch {
    return [];
  }
}

/** Append a new element to a parent; `part` is what a portal styles it by. */
export function add(parent, tag, part, text = "") {
  const element = document.createElement(tag);
  if (part) element.setAttribute("part", part);
  element.textContent = text;
  return parent.appendChild(element);
}

export class Block extends HTMLElement {
  connectedCallback() {
    if (!this.box) {
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = sheets();
      this.box = add(root, "div", "block");
      this.box.setAttribute("role", "group");
      // What stands in the element is shown until the first answer, where the block will be.
      this.fallback = add(root, "slot");
    }
    this.draw();
    this.arrived();
  }

  /** The last good answer for this element, or nothing. */
  answer() {
    return answers[measure(this.getAttribute("metric"))];
  }

  /** Dress the box; return what tells an option: the attribute, else the site's setting. */
  look() {
    const { display = {} } = this.answer() || {};
    const option = (name) => this.getAttribute(name) ?? display[name];
    const lang = option("lang") || (this.matches(":lang(en)") ? "en" : "");
    this.box.lang = /^en/i.test(lang) ? "en" : "vi";
    this.words = WORDS[this.box.lang];
    this.box.className = [option("preset") || "plain", option("theme"), this.known].join(" ");
    return option;
  }

  /** Empty the box but for its heading; false where nothing it was made for has changed. */
  renew(heading, ...reasons) {
    const made = JSON.stringify([this.box.lang, heading, reasons]);
    if (made === this.made) return false;
    this.made = made;
    this.box.textContent = "";
    this.box.removeAttribute("aria-labelledby");
    if (heading) {
      add(this.box, "div", "heading", heading).id = "heading";
      this.box.setAttribute("aria-labelledby", "heading");
    }
    return true;
  }

  /** Show the box in place of what the element held. */
  reveal() {
    this.known = "known";
    this.box.classList.add(this.known);
    this.fallback.remove();
  }
}
