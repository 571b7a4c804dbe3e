// <visitor-counter>: heading, perhaps the total as an odometer, and a line for each number.

import { add, Block } from "./block.js";
import { arrived } from "./numbers.js";
import { put, written } from "./slots.js";
import { ABOVE_ZERO, DEFAULT_LINES, HEADING, ICONS, LINES, PEOPLE, TOTAL, WORDINGS } from "./words.js";

const MOTION = "(prefers-reduced-motion: no-preference)";
const SVG = "http://www.w3.org/2000/svg";

// A name is in a list of names: none is part of another.
const isPeople = (line) => PEOPLE.includes(line);

/** How wide a bold number may be, in widths of a zero. */
function room(number) {
  const digits = number.replace(/\D/g, "").length;
  const marks = number.replace(/[^.,\s]/g, "").length;
  return (number.length - marks - digits) * 0.95 + digits * 1.1 + marks * 0.6;
}

/** Append an icon, which says nothing that the label does not. */
function draw(line, path) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("part", "icon");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  icon.appendChild(document.createElementNS(SVG, "path")).setAttribute("d", path);
  line.append(icon);
}

/** Roll a cell from one digit up to another, through those between, as a wheel does. */
function roll(cell, from, to) {
  cell.textContent = "";
  const wheel = add(cell, "span", "wheel");
  const steps = (10 + to - from) % 10;
  for (let i = 0; i <= steps; i++) add(wheel, "span", "", (+from + i) % 10);
  // Chrome before 84 and Firefox before 75 refuse a first keyframe that says nothing.
  const move = [{ transform: "none" }, { transform: `translateY(${100 / wheel.childElementCount - 100}%)` }];
  wheel.animate(move, { duration: 900, easing: "cubic-bezier(.3,0,.2,1)", fill: "forwards" }).onfinish =
    // A wheel that a newer number replaced leaves no digit.
    () => wheel.parentNode && put(cell, to);
}

export class VisitorCounter extends Block {
  arrived() {
    if (this.answer() === undefined) arrived();
  }

  draw() {
    const answer = this.answer();
    const option = this.look();
    const digits = Math.min(option("digits") || 0, 20);
    const [usual, called, parted] = WORDINGS[option("wording")] || [DEFAULT_LINES, {}];
    const given = option("lines");
    const lines = String(given ?? usual)
      .split(",")
      .map((name) => name.trim())
      .filter(
        (name) =>
          LINES.includes(name) &&
          (given != null || !digits || name !== "total") &&
          (!ABOVE_ZERO.includes(name) || (answer && answer[name] > 0))
      );
    const own = option("labels") || {};
    const labels = LINES.map(
      (name, i) => 
        this.getAttribute("label-" + name) ??
        own[name] ??
        ((this.box.lang === "vi" && called[name]) || this.words[i])
    );
    const heading = option("heading") ?? this.words[HEADING];
    const icons = /line|tile/.test(option("icons"));
    const layout = option("layout"), bars = layout === "inline", cards = layout === "card";
    const gap = (option("gap") || parted) === "online";
    if (this.renew(heading, digits, lines, labels, icons, layout, gap)) {
      this.build(digits, lines, labels, icons, bars, cards, gap);
    }
    if (answer) {
      const unit = option("unit");
      this.numbers.forEach((number, i) => {
        const after = unit && !isPeople(lines[i]) ? " " + unit : "";
        put(number, written(answer[lines[i]], 0, this.format) + after);
        // The room a label leaves. Not as a style attribute, which a policy may forbid.
        number.parentNode.style.setProperty("--letters", room(number.textContent));
      });
      if (digits > 0) this.turn(written(answer.total, digits), labels[TOTAL]);
      this.reveal();
    }
  }

  /** Build the box, without numbers. */
  build(digits, lines, labels, icons, bars, cards, gap) {
    if (digits > 0) {
      this.odometer = add(this.box, "div", "digits");
      this.odometer.setAttribute("role", "img");
    }
    const list = lines[0] && add(this.box, "ul", "list");
    // Without bullets, Safari takes a list for none.
    if (list) list.setAttribute("role", "list");
    this.numbers = lines.map((name, i) => {
      const parts = gap && i && isPeople(lines[i - 1]) && !isPeople(name);
      if (parts && cards) {
        const end = add(list, "li");
        end.className = "break";
        end.setAttribute("aria-hidden", "true");
      }
      const line = add(list, "li", "line line-" + name);
      if (parts) {
        line.className = "gap";
        gap = 0;
      }
      if (bars && i) add(line, "span", "bar", " | ").setAttribute("aria-hidden", "true");
      if (icons) draw(line, ICONS[LINES.indexOf(name)]);
      add(line, "span", "label", labels[LINES.indexOf(name)] + ":");
      line.append(" ");
      return add(line, "span", "value");
    });
  }

  /** Show a number digit by digit; a screen reader reads one number. */
  turn(text, label) {
    const cells = this.odometer.children;
    this.odometer.style.setProperty("--digits", text.length);
    const moving = cells[0] && matchMedia(MOTION).matches;
    while (cells.length > text.length) cells[0].remove();
    [...text].forEach((digit, i) => {
      const cell = cells[i] || add(this.odometer, "span", "digit");
      // Not by its text, which is that of a whole wheel while it rolls.
      if (cell.digit === digit) return;
      // Safari before 13.1 cannot animate an element.
      if (moving && cell.animate) roll(cell, cell.digit || 0, digit);
      else put(cell, digit);
      cell.digit = digit;
    });
    this.odometer.setAttribute("aria-label", label + ": " + Number(text));
  }
}
