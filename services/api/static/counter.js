// Counts this page once and shows the site's numbers. No cookie, no storage, Apache-2.0.
// <script defer src="https://stats.example.vn/counter.js" data-site="mytho"></script>
(function () {
  "use strict";
  var script = document.currentScript || document.querySelector("script[data-site]");
  if (!script || !script.dataset.site || window.__luot) return;
  window.__luot = 1;

  var options = script.dataset;
  var origin = new URL(script.src, location.href).origin;
  var names =
    "online today yesterday this_week last_week this_month last_month this_year last_year total".split(" ");
  var labels = {
    vi: "Đang truy cập,Hôm nay,Hôm qua,Tuần này,Tuần trước,Tháng này,Tháng trước,Năm này,Năm trước,Tổng lượt truy cập",
    en: "Online,Today,Yesterday,This week,Last week,This month,Last month,This year,Last year,Total visits"
  };
  var page, waiting, turn = 0, referrer = document.referrer;

  // Nothing that fails here may be seen by the page.
  function quiet(work) {
    return function () {
      try {
        work();
      } catch (_) {}
    };
  }

  function each(selector, change) {
    document.querySelectorAll(selector).forEach(change);
  }

  // The query goes along: on some portals it names the page. The server knows which.
  function here() {
    return (location.pathname + location.search).slice(0, 1000);
  }

  function pathOf(slot) {
    return slot.dataset.luotViews || here();
  }

  function show(slot, count) {
    if (typeof count !== "number") return;
    var text = String(count).padStart(Math.min(slot.dataset.digits || 0, 20), "0");
    if (slot.textContent !== text) slot.textContent = text;
  }

  function add(parent, tag, name, text) {
    var element = parent.appendChild(document.createElement(tag));
    if (name) element.className = name;
    if (text) element.textContent = text;
    return element;
  }

  function build(block) {
    var near = block.closest("[lang]");
    var lang = block.dataset.lang || options.lang || (near && near.lang) || "vi";
    var words = labels[/^en/i.test(lang) ? "en" : "vi"].split(",");
    block.textContent = "";
    var list = add(block, "dl", "luot");
    names.forEach(function (name, i) {
      var line = add(list, "div", "luot-line luot-" + name);
      add(line, "dt", "", words[i]);
      add(line, "dd").dataset.luot = name;
    });
  }

  function fill(answer) {
    each("[data-luot-block]", function (block) {
      if (answer.total >= 0 && !block.querySelector("dl.luot")) build(block);
    });
    each("[data-luot]", function (slot) {
      show(slot, answer[slot.dataset.luot]);
    });
    each("[data-luot-views]", function (slot) {
      var path = answer.paths && answer.paths[pathOf(slot)];
      if (path) show(slot, path.views);
    });
  }

  var read = quiet(function () {
    if (!document.querySelector("[data-luot],[data-luot-views],[data-luot-block]")) return;
    var query = new URLSearchParams(), paths = new Set(), mine = ++turn;
    if (options.metric) query.set("metric", options.metric);
    each("[data-luot-views]", function (slot) {
      if (paths.size < 100) paths.add(pathOf(slot));
    });
    paths.forEach(function (path) {
      query.append("path", path);
    });
    query = String(query);
    fetch(origin + "/api/counter/" + encodeURIComponent(options.site) + (query && "?" + query), {
      cache: "no-cache",
      credentials: "omit"
    })
      .then(function (response) {
        return response.ok && response.json();
      })
      .then(function (answer) {
        if (answer && mine === turn) fill(answer);
      })
      .catch(function () {});
  });

  function readTwice() {
    read();
    setTimeout(read, 2500);
  }

  function counts() {
    var local = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.+\.localhost)$/.test(location.hostname);
    return !navigator.webdriver && /^http/.test(location.protocol) && (!local || "local" in options);
  }

  // A hidden or prerendered page is a view when it is first seen.
  var view = quiet(function () {
    page = location.pathname;
    waiting = document.visibilityState !== "visible";
    if (waiting) return;
    if (!counts()) return readTwice();
    var from = referrer;
    referrer = location.href;
    fetch(origin + "/api/event", {
      method: "POST",
      keepalive: true,
      credentials: "omit",
      body: JSON.stringify({
        n: "pageview",
        u: location.href.slice(0, 2000),
        d: options.site,
        r: from.slice(0, 1000)
      })
    }).then(readTwice, readTwice);
  });

  function moved() {
    if (location.pathname !== page) view();
  }

  var push = history.pushState;
  history.pushState = function () {
    push.apply(history, arguments);
    moved();
  };
  addEventListener("popstate", moved);
  addEventListener("pageshow", function (event) {
    if (event.persisted) view();
  });
  document.addEventListener("visibilitychange", function () {
    if (waiting) view();
  });
  setInterval(function () {
    if (document.visibilityState === "visible") read();
  }, 60000);
  view();
})();
