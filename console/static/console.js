// What pages can do besides being read: copy ids, show local times, draw charts, and `/` for the search field.
// Nothing here is needed to read a page. What is live is put in its place by htmx; this file looks at what came.
"use strict";
(() => {
  const LOCAL = "quittance-local-times";
  const isLocal = () => localStorage.getItem(LOCAL) === "yes";

  // Times come in UTC. Without fractions of a second, a browser says them in the reader's own way.
  const showTimes = (root) => {
    for (const time of root.querySelectorAll("time[data-time]")) {
      if (!time.dateTime) continue;
      time.dataset.utc ??= time.textContent;
      time.textContent = isLocal() ? new Date(time.dateTime).toLocaleString() : time.dataset.utc;
    }
    for (const button of document.querySelectorAll("[data-local-times]")) {
      button.hidden = false;
      button.textContent = isLocal() ? "Local time" : "UTC";
      button.setAttribute("aria-label", isLocal() ? "Times are local; show UTC" : "Times are UTC; show local ones");
    }
  };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const SERIES = {
    rates: [["settled", "--good"], ["rejected", "--bad"]],
    latencies: [["half", "--good"], ["99 of 100", "--wait"]],
  };
  const draw = (chart) => {
    const series = SERIES[chart.dataset.chart];
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const options = {
      width: Math.max(chart.clientWidth, 200),
      height: 180,
      cursor: { y: false },
      scales: { y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
      axes: [axis, { ...axis, size: 46 }],
      series: [{}, ...series.map(([label, name]) => ({
        label, stroke: colour(name), width: 2, spanGaps: false,
        // Seconds without a payment have no latency, so a point may stand alone.
        points: { show: chart.dataset.chart === "latencies", size: 4 },
      }))],
    };
    chart.replaceChildren();
    new uPlot(options, JSON.parse(chart.dataset.points), chart);
  };

  const enhance = (root) => {
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
    showTimes(root);
    root.querySelectorAll("[data-chart]").forEach(draw);
  };

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard.writeText(copy.dataset.copy);
      copy.textContent = "copied";
      setTimeout(() => { copy.textContent = "copy"; }, 1200);
    }
    if (event.target.closest("[data-local-times]")) {
      localStorage.setItem(LOCAL, isLocal() ? "no" : "yes");
      showTimes(document);
    }
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      document.querySelector("[data-search]")?.focus();
    }
  });

  // A page that is not live any more must not look as if nothing happened.
  const HOME = new URL(document.querySelector(".brand").href).pathname;
  const signInLink = () => {
    const link = document.createElement("a");
    const here = `/${location.pathname.slice(HOME.length)}${location.search}`;
    link.href = `${HOME}sign-in?${new URLSearchParams({ next: here })}`;
    link.textContent = "Sign in";
    return link;
  };
  document.addEventListener("htmx:sse:error", ({ target, detail }) => {
    let stale = target.previousElementSibling;
    if (!stale?.matches("[data-stale]")) {
      stale = document.createElement("p");
      stale.className = "trouble";
      stale.setAttribute("role", "alert");
      target.before(stale);
    }
    // A message is said once, and again only when it changes.
    const why = { 401: "signed out", 503: "too many" }[detail?.status] ?? "away";
    if (stale.dataset.stale === why) return;
    stale.dataset.stale = why;
    if (why === "signed out") {
      stale.replaceChildren("You are signed out, and what is shown is old. ", signInLink());
    } else if (why === "too many") {
      stale.textContent = "Not live: too many pages are. Load the page again to see what is new.";
    } else {
      stale.textContent = "Not live: what is shown is old. Load the page again.";
    }
  });
  document.addEventListener("htmx:sse:after:connection", ({ target }) => {
    if (target.previousElementSibling?.matches("[data-stale]")) target.previousElementSibling.remove();
  });

  enhance(document);
  for (const live of document.querySelectorAll("[hx-sse\\:connect]")) {
    new MutationObserver(() => enhance(live)).observe(live, { childList: true });
  }
})();
