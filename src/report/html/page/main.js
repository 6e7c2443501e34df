// From the address to what is shown: #/suite/case/trial/check.

function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  const decoded = parts.map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return decoded.filter((part, i) => part !== "" || i < decoded.length - 1);
}

// What the address names.
function selected() {
  const [suiteName, caseId, trialKey, checkId] = route();
  const suite = run.suites.find((s) => s.name === suiteName);
  const one = suite && caseId !== undefined ? suite.byCase.get(caseId) : undefined;
  // Without a trial the worst is shown: it is what one came to see.
  const bad = (t) => t.verdicts.filter(([, letter]) => letter !== "p" && letter !== "s").length;
  const worst = one && [...one.trials].sort((a, b) => WORST[a.status] - WORST[b.status] || bad(b) - bad(a))[0];
  const trial = one && (trialKey === undefined ? worst : one.trials.find((t) => t.key === trialKey));
  return { suite, one, trial, checkId, gone: suiteName !== undefined && (!suite || (caseId !== undefined && !one) || (trialKey !== undefined && !trial)) };
}

async function show() {
  const { suite, one, trial, checkId, gone } = selected();
  const pane = byId("pane");
  document.body.classList.toggle("reading", route().length > 1);
  if (gone) {
    pane.replaceChildren(el("p", { class: "note" }, "This run has nothing of that name: ", route().map(line).join(" / ")));
    return;
  }
  if (one) {
    const n = list.cases.indexOf(one);
    if (n !== -1) list.select(n);
    try {
      await detail(one, trial, checkId);
    } catch (why) {
      pane.replaceChildren(el("p", { class: "note error" }, "This part of the report could not be read: ", String(why)));
    }
    return;
  }
  pane.replaceChildren(...fragment([suite ? overview(suite) : everything()]));
  pane.scrollTop = 0;
}

async function main() {
  showTheme(storedTheme());
  byId("theme").addEventListener("click", nextTheme);
  byId("help").addEventListener("click", help);
  document.querySelector(".skip-link").addEventListener("click", (e) => {
    e.preventDefault();
    // On a narrow screen there is a list or a case, not both.
    byId(document.body.classList.contains("reading") && !list.box.offsetParent ? "pane" : "list").focus();
  });
  if (typeof DecompressionStream === "undefined") {
    byId("gate").append(el("p", { class: "note" }, "This browser cannot unpack the sessions in this file: it has no DecompressionStream. Any browser of 2023 or later has."));
    return;
  }
  await load();
  byId("work").hidden = false;
  drawFilter();
  list.begin();
  list.show();
  addEventListener("hashchange", show);
  addEventListener("keydown", onKey);
  byId("pane").addEventListener("click", (e) => {
    const to = e.target.closest("a[data-verdict]");
    if (!to) return;
    e.preventDefault();
    const target = byId(`verdict-${to.dataset.verdict}`);
    if (target) point(target);
  });
  await show();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  await prepareSearch();
}
