"use strict";
(() => {
  const lang = document.documentElement.lang;
  const number = new Intl.NumberFormat(lang);
  const every = (selector, act) => document.querySelectorAll(selector).forEach(act);
  const seen = (act) => () => document.visibilityState === "visible" && act();

  async function read(url) {
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  // Who is online now.
  every("[data-online]", (box) => {
    const text = box.querySelector(".text");
    setInterval(seen(async () => {
      try {
        const online = await read(box.dataset.online);
        text.textContent = box.dataset.text.replace("{number}", number.format(online));
        box.classList.toggle("none", online === 0);
      } catch {
        // It is asked again.
      }
    }), 5000);
  });

  // The first view of a new site.
  every("[data-wait]", (box) => {
    const timer = setInterval(seen(async () => {
      try {
        const { results } = await read(box.dataset.wait);
        if (results.pageviews.value > 0) {
          clearInterval(timer);
          location.reload();
        }
      } catch {
        // It is asked again.
      }
    }), 2000);
  });

  // Names of countries, as the browser knows them.
  if (Intl.DisplayNames) {
    const countries = new Intl.DisplayNames([lang], { type: "region", fallback: "code" });
    every("[data-country]", (link) => {
      try {
        link.textContent = countries.of(link.dataset.country);
      } catch {
        // No country has this code; it stays.
      }
    });
  }

  // The numbers at a point of the chart, as a tip beside it.
  every(".plot", (plot) => {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    plot.append(tip);
    plot.querySelectorAll(".mark").forEach((mark) => {
      const title = mark.querySelector("title");
      const text = title.textContent;
      title.remove();
      mark.addEventListener("pointerenter", () => {
        const frame = plot.getBoundingClientRect();
        const dot = mark.querySelector("circle").getBoundingClientRect();
        tip.textContent = text;
        tip.hidden = false;
        const x = dot.left - frame.left + dot.width / 2;
        const left = x + 14 + tip.offsetWidth > frame.width ? x - 14 - tip.offsetWidth : x + 14;
        tip.style.left = `${Math.max(4, left)}px`;
        tip.style.top = `${Math.max(4, dot.top - frame.top - tip.offsetHeight - 6)}px`;
      });
    });
    plot.addEventListener("pointerleave", () => { tip.hidden = true; });
  });

  // The table of sites follows what is typed; without scripts, the button does it.
  every("[data-finds]", (form) => {
    let waiting, asked = 0;
    const find = async () => {
      const now = ++asked;
      const url = new URL(form.action);
      url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
      try {
        const answer = await fetch(url, { headers: { Accept: "text/html" } });
        if (!answer.ok) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const found = page.querySelector("[data-table]");
        if (!found || now !== asked) return;
        document.querySelector("[data-table]").replaceWith(found);
        form.querySelector("[role=status]").textContent = found.querySelector(".sum th, .empty").textContent;
        history.replaceState(null, "", url);
      } catch {
        // The button asks again.
      }
    };
    form.querySelector("[type=search]").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(find, 250);
    });
    form.querySelectorAll("select").forEach((select) => {
      select.addEventListener("change", find);
    });
  });

  // Code to be copied.
  if (navigator.clipboard) {
    every("[data-copy]", (block) => {
      const code = block.querySelector("code");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = block.dataset.copy;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = block.dataset.copied;
        setTimeout(() => { button.textContent = block.dataset.copy; }, 2000);
      });
      block.prepend(button);
    });
  }

  // A short name, out of the name.
  every("[data-slug-of]", (field) => {
    const name = field.form.elements[field.dataset.slugOf];
    let own = field.value !== "";
    field.addEventListener("input", () => { own = field.value !== ""; });
    name.addEventListener("input", () => {
      if (own) return;
      field.value = name.value.toLowerCase().replace(/đ/g, "d").normalize("NFD")
        .replace(/\p{M}+/gu, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
    });
  });

  // Lines of the block move up and down.
  every(".lines", (list) => {
    const move = (line, other) => {
      if (!other) return;
      const first = line.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_PRECEDING;
      list.insertBefore(first ? line : other, first ? other : line);
      list.dispatchEvent(new Event("input", { bubbles: true }));
    };
    for (const line of list.children) {
      const buttons = document.createElement("span");
      buttons.className = "move";
      const name = line.querySelector("label").textContent;
      for (const [sign, way, said] of [
        ["↑", () => line.previousElementSibling, list.dataset.up],
        ["↓", () => line.nextElementSibling, list.dataset.down],
      ]) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = sign;
        button.setAttribute("aria-label", `${said}: ${name}`);
        button.addEventListener("click", () => { move(line, way()); button.focus(); });
        buttons.append(button);
      }
      line.append(buttons);
    }
  });

  // The block as it will look.
  every("[data-preview]", (frame) => {
    const form = document.querySelector("form.settings");
    let waiting;
    const show = () => {
      const given = new FormData(form);
      const asked = new URLSearchParams();
      for (const name of ["metric", "unit", ...frame.dataset.choices.split(" ")]) {
        if (given.get(name)) asked.set(name, given.get(name));
      }
      // What is not chosen is not as it was saved, either.
      const usual = JSON.parse(frame.dataset.usual)[`${given.get("wording")} ${given.get("lang")}`];
      if (!given.get("theme")) asked.set("theme", "light");
      if (!given.get("gap")) asked.set("gap", usual.gap);
      if (!given.get("unit")) asked.set("unit", "");
      const digits = Math.min(20, Math.max(0, Number.parseInt(given.get("digits"), 10) || 0));
      asked.set("digits", String(digits));
      const lines = given.getAll("lines").join(",");
      const unset = usual.lines.filter((line) => !(digits && line === "total")).join(",");
      asked.set("lines", lines === given.get("usual_lines") ? unset : lines);
      asked.set("heading", given.has("no_heading") ? "" : given.get("heading") || usual.heading);
      for (const field of form.querySelectorAll("[name^=label-]")) {
        const label = field.value || (field.defaultValue && usual.labels[field.name.slice(6)]);
        if (label) asked.set(field.name, label);
      }
      const address = `${frame.dataset.preview}?${asked}`;
      if (frame.getAttribute("src") !== address) frame.contentWindow.location.replace(address);
    };
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(show, 250);
    });
    if ("typed" in frame.dataset) show();
  });

  // What cannot be taken back is asked twice.
  every("[data-confirm]", (button) => {
    button.addEventListener("click", (event) => {
      if (!confirm(button.dataset.confirm)) event.preventDefault();
    });
  });

  // Without scripts, the browser's own command prints.
  every("[data-print]", (button) => {
    button.hidden = false;
    button.addEventListener("click", () => print());
  });

  // Where a row of tabs is wider than the screen, the one that is shown is in it.
  every(".tabs [aria-current]", (tab) => {
    tab.parentNode.scrollLeft = tab.offsetLeft - tab.parentNode.clientWidth / 3;
  });

  // Menus close as people expect.
  const menus = (act) => every("details:is(.custom, .menu)[open]", act);
  document.addEventListener("click", (event) => menus((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  }));
  document.addEventListener("keydown", (event) => menus((menu) => {
    if (event.key !== "Escape" || !menu.contains(event.target)) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  }));
})();
