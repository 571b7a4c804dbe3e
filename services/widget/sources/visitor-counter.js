// <visitor-counter>: heading, perhaps the total as an odometer, and a line for each number.

import { add, arrived, Block, put, written } from "./block.js";
import { DEFAULT_LINES, HEADING, LINES, TOTAL } from "./words.js";

const MOTION = "(prefers-reduced-motion: no-preference)";
const ROLL = [{ transform: "translateY(-.5em)", opacity: 0 }, {}];

export class VisitorCounter extends Block {
  arrived() {
    if (this.answer() === undefined) arrived();
  }

  draw() {
    const answer = this.answer();
    const option = this.look();
    const digits = Math.min(option("digits") || 0, 20);
    const lines = String(option("lines") ?? DEFAULT_LINES.replace(digits > 0 ? ",total" : "", ""))
      .split(",")
      .map((name) => name.trim())
      .filter((name) => LINES.includes(name));
    const own = option("labels") || {};
    const labels = LINES.map(
      (name, i) => this.getAttribute("label-" + name) ?? own[name] ?? this.words[i]
    );
    const heading = option("heading") ?? this.words[HEADING];
    if (this.renew(heading, digits, lines, labels)) this.build(digits, lines, labels);
    if (answer) {
      const format = option("format");
      this.numbers.forEach((number, i) => {
        put(number, written(answer[lines[i]], 0, format));
        // The room a label leaves. Not as a style attribute, which a policy may forbid.
        number.parentNode.style.setProperty("--letters", number.textContent.length);
      });
      if (digits > 0) this.turn(written(answer.total, digits), labels[TOTAL]);
      this.reveal();
    }
  }

  /** Build the box, without numbers. */
  build(digits, lines, labels) {
    if (digits > 0) {
      this.odometer = add(this.box, "div", "digits");
      this.odometer.setAttribute("role", "img");
    }
    const list = lines[0] && add(this.box, "ul", "list");
    // Without bullets, Safari takes a list for none.
    if (list) list.setAttribute("role", "list");
    this.numbers = lines.map((name) => {
      const line = add(list, "li", "line line-" + name);
      add(line, "span", "label", labels[LINES.indexOf(name)] + ":");
      line.append(" ");
      return add(line, "span", "value");
    });
  }

  /** Show a number digit by digit; a screen reader reads one number. */
  turn(text, label) {
    const cells = this.odometer.children;
    this.odometer.style.setProperty("--digits", text.length);
    const moving = this.known && matchMedia(MOTION).matches;
    while (cells.length > text.length) cells[0].remove();
    [...text].forEach((digit, i) => {
      const cell = cells[i] || add(this.odometer, "span", "digit");
      if (moving && cell.textContent !== digit) cell.animate(ROLL, 400);
      put(cell, digit);
    });
    this.odometer.setAttribute("aria-label", label + ": " + Number(text));
  }
}
