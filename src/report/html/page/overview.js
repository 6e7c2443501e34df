// A suite as a whole: the rules of its gate, its checks, how its sessions are distributed, what was left out.

function overview(suite) {
  const { plan, summary } = suite;
  const rules = [...summary.rules].sort((a, b) => (a.decision === "passed") - (b.decision === "passed"));
  return [
    el("h2", {}, badge(summary.decision), " ", line(suite.name)),
    plan.description && el("p", {}, plan.description),
    el("p", { class: "dim" }, line(plan.path),
      plan.subject && `, judges ${line(plan.subject.agent)}${plan.subject.version ? ` ${line(plan.subject.version)}` : ""}`,
      plan.tags && plan.tags.length > 0 && `, tags ${plan.tags.map(line).join(", ")}`),
    el("h3", {}, "Gate"),
    el("table", { class: "rules" }, el("tbody", {}, rules.map((r) => el("tr", {},
      el("td", {}, badge(r.decision)), el("th", { scope: "row" }, line(r.rule)), el("td", {}, r.reason))))),
    suite.baselines.map((b) => baselineOf(suite, b)),
    flaky(suite),
    el("h3", {}, "Checks"),
    checksTable(suite),
    modelsTable(suite),
    charts(suite.sessions),
    leftOut(suite),
    embedded(),
  ];
}

function flaky(suite) {
  const found = suite.cases.filter((c) => c.flaky);
  if (!found.length) return null;
  const shown = found.slice(0, 30);
  return [
    el("h3", {}, `Flaky: trials of ${plural(found.length, "case")} disagree`),
    el("p", { class: "links" }, shown.map((c) => [el("a", { href: link(suite.name, c.id) }, line(c.id)), " "]),
      found.length > shown.length && `and ${grouped(found.length - shown.length)} more`),
  ];
}

function value(check) {
  if (check.value === null || check.value === undefined) return "";
  if (check.level === "system") return short(check.value);
  return `${(check.value * 100).toFixed(1)} %`;
}

function bounds(check) {
  const b = check.bound;
  if (!b) return "";
  return [b.min !== undefined && `at least ${b.min}`, b.max !== undefined && `at most ${b.max}`].filter(Boolean).join(", ");
}

function checksTable(suite) {
  const active = suite.summary.checks.map((c, i) => [c, suite.checks[i], i]).filter(([, plan]) => !plan.inactive);
  const worst = ([c]) => (c.fail + c.error + c.held > 0 || c.invalid ? 0 : 1);
  active.sort((a, b) => worst(a) - worst(b));
  const number = (n, status) => el("td", { class: `n ${n ? status : "zero"}` }, n ? grouped(n) : "");
  const rows = active.map(([c, plan]) => {
    const said = [c.invalid, c.reason, !c.exercised && !c.reason && (c.optional ? "unexercised (optional)" : "applied to nothing")].filter(Boolean);
    const interval = c.interval ? ` ${c.doubt ? "about " : ""}[${c.interval.map(short).join(", ")}]` : "";
    return [
      el("tr", { class: blocks(c) ? "" : "minor" },
        el("th", { scope: "row", title: line([plan.about.description, plan.location].filter(Boolean).join("\n")) },
          line(c.id), c.severity !== "block" && el("span", { class: "badge" }, c.severity)),
        el("td", { class: "dim" }, `${c.level} ${line(c.check)}`),
        number(c.pass, "pass"), number(c.fail, "fail"), number(c.error, "error"), number(c.held, "held"), number(c.skip, "skip"),
        el("td", { class: "n" }, value(c), interval && el("span", { class: "dim", title: [c.method, c.doubt].filter(Boolean).join(": ") }, interval)),
        el("td", { class: "dim" }, bounds(c))),
      said.length > 0 && el("tr", { class: "said" }, el("td", { colspan: 9 }, said.join("; "))),
      (c.groups || []).slice(0, 50).map((g) => el("tr", { class: "group" },
        el("th", { scope: "row" }, sign(LETTERS[g.status]), " ", g.group.map(line).join(", ")),
        el("td", { class: "dim", colspan: 6 }, plural(g.count, "sample"), g.reason && `: ${g.reason}`),
        el("td", { class: "n" }, g.value === null ? "" : short(g.value)), el("td", {}))),
    ];
  });
  return wide("Checks", el("table", { class: "checktable" },
    el("thead", {}, el("tr", {}, ["check", "level and rule", "pass", "fail", "error", "held", "skip", "value", "bound"].map((t) => el("th", { scope: "col" }, t)))),
    el("tbody", {}, rows)));
}

// What asking models took, check by check. What nobody knows the cost of is not free.
function modelsTable(suite) {
  const asking = suite.summary.checks.filter((c) => c.spent).map((c) => [line(c.id), c.spent]);
  if (!asking.length) return null;
  const counts = ["asked", "kept", "failed", "tokens_in", "tokens_out"];
  const of = (name) => asking.reduce((sum, [, s]) => sum + (s[name] || 0), 0);
  if (asking.length > 1) asking.push(["all", Object.fromEntries([...counts, "cost_usd", "unpriced"].map((n) => [n, of(n)]))]);
  const cost = (s) => [
    s.asked > (s.unpriced || 0) && dollars(s.cost_usd),
    s.unpriced > 0 && `${s.asked > s.unpriced ? "and " : ""}unknown for ${grouped(s.unpriced)}`,
  ].filter(Boolean).join(" ");
  const rows = asking.map(([name, s]) => el("tr", {},
    el("th", { scope: "row" }, name),
    counts.map((n) => el("td", { class: `n ${n === "failed" && s[n] ? "error" : ""}` }, s[n] ? grouped(s[n]) : "")),
    el("td", { class: "n" }, cost(s))));
  const heads = ["check", "asked", "known before", "without an answer", "tokens read", "tokens written", "cost"];
  return [
    el("h3", {}, "Models"),
    wide("Models", el("table", { class: "checktable models" },
      el("thead", {}, el("tr", {}, heads.map((t) => el("th", { scope: "col" }, t)))),
      el("tbody", {}, rows))),
  ];
}

function leftOut(suite) {
  const { listed, more } = suite.end.left_out;
  if (!listed.length) return null;
  return el("details", {},
    el("summary", {}, `Left out: ${grouped(listed.length + more)}`),
    el("ul", { class: "plain" }, listed.map((l) => el("li", {}, badge(l.kind.replace(/_/g, " ")), " ",
      line(l.file), l.id && ` ${line(l.id)}`, ` #${l.at[1]}: `, l.message))),
    more > 0 && el("p", { class: "note" }, `and ${grouped(more)} more, in run.jsonl`));
}

// What is in this file and what is not.
function embedded() {
  const all = run.suites.reduce((n, s) => n + s.sessions.length, 0);
  const [not, passed] = run.transcripts;
  const rest = not.kept + passed.kept - not.embedded - passed.embedded;
  return el("p", { class: "note" },
    `In this file: all verdicts and facts of ${plural(all, "session")}; transcripts of ${grouped(not.embedded)} that did not pass and of `,
    `${grouped(passed.embedded)} that passed. `,
    rest > 0 && `${grouped(rest)} more are kept beside the record (sessions.jsonl.gz). `,
    all > not.kept + passed.kept && "The transcripts of the others are in their recordings alone (seatrial show).");
}

// The run as a whole, where there are several suites.
function everything() {
  if (run.suites.length === 1) return overview(run.suites[0]);
  const sessions = run.suites.flatMap((s) => s.sessions);
  return [
    el("h2", {}, "All suites"),
    el("table", { class: "rules" }, el("tbody", {}, run.suites.map((s) => el("tr", {},
      el("td", {}, badge(s.summary.decision)),
      el("th", { scope: "row" }, el("a", { href: link(s.name) }, line(s.name))),
      el("td", {}, s.plan.description || ""),
      el("td", { class: "n" }, plural(s.cases.length, "case")))))),
    charts(sessions),
    embedded(),
  ];
}
