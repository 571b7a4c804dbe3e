// The base of both elements: a shadow root with a box, a heading and a list.

import { answers, wanted } from "./slots.js";
import { LINES, WORDS } from "./words.js";

// Named once: the build inlines the style at every use of the constant.
const CSS_TEXT = STYLE;
const KINDS = ["icons", "layout", "odometer"];
const OPTIONS = [
  ...["lines", "lang", "theme", "metric", "preset", "digits", "format", "heading"],
  ...["wording", "unit", "gap", ...KINDS]
];

let made;

// A browser that is too old for light-dark() shows the light colours.
function style() {
  return window.CSS && CSS.supports("color", "light-dark(red,red)")
    ? CSS_TEXT
    : CSS_TEXT.replace(/light-dark\(([^,]+),[^)]*\)/g, "$1");
}

/** Style a shadow root by a style sheet that no Content-Security-Policy forbids. */
function dress(root) {
  try {
    if (!made) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style());
      made = sheet;
    }
    root.adoptedStyleSheets = [made];
  } catch {
    // Before Safari 16.4: as an element, where the policy allows it.
    add(root, "style", "", style());
  }
}

/** Append a new element to a parent; a portal styles it by `part`. */
export function add(parent, tag, part, text = "") {
  const element = document.createElement(tag);
  if (part) element.setAttribute("part", part);
  element.textContent = text;
  return parent.appendChild(element);
}

export class Block extends HTMLElement {
  static get observedAttributes() {
    return [...OPTIONS, "limit", "period", "site", ...LINES.map((name) => "label-" + name)];
  }

  connectedCallback() {
    if (!this.box) {
      const root = this.attachShadow({ mode: "open" });
      dress(root);
      this.box = add(root, "div", "block");
      this.box.setAttribute("role", "group");
      // Until the first answer, the page shows its own text in this place.
      this.box.hidden = true;
      this.fallback = add(root, "slot");
    }
    this.draw();
    this.arrived();
  }

  attributeChangedCallback() {
    if (this.box) {
      this.draw();
      this.arrived();
    }
  }

  /** The last good answer for this element; 0 while it is requested, undefined before. */
  answer() {
    return answers[wanted(this.getAttribute("metric"), this.getAttribute("site"))];
  }

  /** Style the box; return a getter of options: the attribute, else the site's setting. */
  look() {
    const { display = {} } = this.answer() || {};
    const option = (name) => this.getAttribute(name) ?? display[name];
    const lang = option("lang") || (this.matches(":lang(en)") ? "en" : "");
    this.box.lang = /^en/i.test(lang) ? "en" : "vi";
    this.words = WORDS[this.box.lang];
    this.format = option("format") || (this.box.lang === "en" ? "comma" : "dot");
    this.box.className = [
      option("preset") || "plain",
      option("theme"),
      this.known,
      ...KINDS.map((name) => name + "-" + (option(name) || "list"))
    ].join(" ");
    return option;
  }

  /** Rebuild the box with its heading; false where nothing it depends on has changed. */
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

  /** Show the box in place of the element's own text. */
  reveal() {
    this.known = "known";
    this.box.classList.add(this.known);
    this.box.hidden = false;
    this.fallback.remove();
  }
}
