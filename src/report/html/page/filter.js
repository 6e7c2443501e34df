// What the list shows: by status, suite, check and words; and in which order.

const filter = { words: "", statuses: new Set(), suite: "", check: "", sort: "worst" };
const STATUSES = ["fail", "error", "held", "flaky", "pass", "skip"];
const RANK = { f: 0, e: 1, h: 2, p: 4, s: 5 };

const SORTS = {
  worst: { name: "worst first", of: (c) => [RANK[c.status] - (critical(c) ? 0.5 : 0) - (c.flaky ? 0.1 : 0), -c.failing.size] },
  recorded: { name: "as recorded", of: () => [0] },
  case: { name: "by case", of: (c) => [c.id] },
  session_ms: { name: "slowest first", of: (c) => [-(factOf(c, "session_ms") ?? -1)] },
  tokens: { name: "most tokens first", of: (c) => [-(factOf(c, "tokens") ?? -1)] },
  cost_usd: { name: "dearest first", of: (c) => [-(factOf(c, "cost_usd") ?? -1)] },
};

function critical(one) {
  for (const [check, letter] of one.failing) {
    if (letter === "f" && one.suite.checks[check].severity === "critical") return true;
  }
  return false;
}

function factOf(one, name) {
  return median(one.trials.map((t) => fact(t, name)));
}

function has(one, status) {
  return status === "flaky" ? one.flaky : WORDS[one.status] === status;
}

// Everything that can be searched for in a case.
function haystack(one) {
  if (one.haystack === undefined) {
    const checks = [...one.failing.keys()].map((c) => one.suite.checks[c].id);
    const ids = one.trials.flatMap((t) => [t.id, t.trial || "", t.error || ""]);
    one.haystack = [one.suite.name, one.id, ...one.tags, ...checks, ...ids].join("\n").toLowerCase();
  }
  return one.haystack;
}

function matching() {
  const words = filter.words.toLowerCase().split(/\s+/).filter(Boolean);
  const { statuses, suite, check } = filter;
  return inOrder(filter.sort).filter((one) => {
    if (suite && one.suite.name !== suite) return false;
    if (statuses.size && ![...statuses].some((s) => has(one, s))) return false;
    if (check && ![...one.failing.keys()].some((c) => one.suite.checks[c].id === check)) return false;
    return words.every((word) => haystack(one).includes(word));
  });
}

// All cases in an order, put so when it is first asked for: a filter then only leaves some out.
const ORDERED = new Map();
function inOrder(sort) {
  if (!ORDERED.has(sort)) {
    const keyed = run.cases.map((one) => [SORTS[sort].of(one), one]);
    keyed.sort(([x, a], [y, b]) => {
      for (let i = 0; i < x.length; i += 1) if (x[i] !== y[i]) return x[i] < y[i] ? -1 : 1;
      return a.order - b.order;
    });
    ORDERED.set(sort, keyed.map(([, one]) => one));
  }
  return ORDERED.get(sort);
}

// Lets the browser do what somebody is waiting for.
function pause() {
  return new Promise((next) => { setTimeout(next, 0); });
}

// Puts the texts together while nobody searches yet, so that the first key does not wait for all of them.
async function prepareSearch() {
  for (const [i, one] of run.cases.entries()) {
    haystack(one);
    if (i % 500 === 499) await pause();
  }
}

// Reasons are packed: they are unpacked when somebody begins to search, and found from then on.
let reasons;
function loadReasons() {
  reasons ??= (async () => {
    for (const suite of run.suites) {
      let chunk = -1;
      for (const session of suite.sessions) {
        if (session.chunk !== chunk) {
          chunk = session.chunk;
          await details(session);
          await pause();
        }
        const found = await details(session);
        if (!found.length) continue;
        const said = found.flatMap((v) => [v.reason || "", ...(v.findings || []).map((f) => f.reason || "")]).join("\n");
        // As one text: a text that is only joined is put together by the first search in it.
        session.owner.haystack = `${haystack(session.owner)}\n${said}`.toLowerCase();
      }
    }
    if (filter.words) list.show();
  })();
}

function drawFilter() {
  const form = byId("filter");
  const changed = () => list.show();
  const search = el("input", {
    type: "search", id: "search", placeholder: "Search cases, checks, tags, reasons  ( / )", "aria-label": "Search",
    autocomplete: "off", spellcheck: "false",
    oninput: (e) => { filter.words = e.target.value; loadReasons(); changed(); },
  });
  const toggles = STATUSES.map((status) => {
    const n = run.cases.filter((c) => has(c, status)).length;
    const button = el("button", {
      type: "button", class: `toggle ${status}`, "aria-pressed": "false", disabled: n === 0,
      onclick: () => {
        const on = !filter.statuses.delete(status);
        if (on) filter.statuses.add(status);
        button.setAttribute("aria-pressed", on);
        changed();
      },
    }, status, " ", el("b", {}, grouped(n)));
    return button;
  });
  const select = (label, options, on) => el("select", { "aria-label": label, onchange: (e) => { on(e.target.value); changed(); } },
    options.map(([value, text]) => el("option", { value }, cut(line(text), 60))));
  const checks = [...new Set(run.cases.flatMap((c) => [...c.failing.keys()].map((i) => c.suite.checks[i].id)))].sort();
  form.append(search, el("div", { class: "toggles", role: "group", "aria-label": "Status" }, toggles));
  const selects = el("div", { class: "selects" });
  if (run.suites.length > 1) {
    selects.append(select("Suite", [["", "every suite"], ...run.suites.map((s) => [s.name, s.name])], (v) => { filter.suite = v; }));
  }
  if (checks.length) {
    selects.append(select("Check", [["", "any check"], ...checks.map((c) => [c, `not passed: ${c}`])], (v) => { filter.check = v; }));
  }
  selects.append(select("Order", Object.entries(SORTS).map(([k, s]) => [k, s.name]), (v) => { filter.sort = v; }));
  form.append(selects);
  form.addEventListener("submit", (e) => { e.preventDefault(); byId("list").focus(); });
}
