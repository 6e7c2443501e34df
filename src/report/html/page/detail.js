// A case: its trials side by side, and one of them with its verdicts, waterfall and transcript.

async function detail(one, trial, verdict) {
  const { suite } = one;
  const pane = byId("pane");
  const head = [
    el("p", { class: "crumbs" }, el("a", { href: "#/" }, "All"), " / ", el("a", { href: link(suite.name) }, line(suite.name))),
    el("h2", {}, sign(one.status), " ", line(one.id), one.flaky && [" ", badge("flaky", "its trials disagree")], " ", excuse(one)),
    one.tags.length > 0 && el("p", { class: "dim" }, "tags: ", one.tags.map(line).join(", ")),
    one.declared && one.declared.skip && el("p", { class: "note" }, "Skipped: ", one.declared.skip),
    one.declared && one.declared.expected_fail && el("p", { class: "note" }, `Expected to fail until ${line(one.declared.expected_fail.until)}: `, one.declared.expected_fail.reason),
    one.missing > 0 && el("p", { class: "note" }, one.trials.length ? `${plural(one.missing, "trial")} missing.` : "No session of this case was recorded: that is an error, not a pass."),
    one.trials.length > 1 && matrix(one, trial),
  ];
  if (!trial) {
    pane.replaceChildren(...fragment(head));
    return;
  }
  const wanted = location.hash;
  const [verdicts, session, compared] = await Promise.all([
    details(trial),
    trial.kept ? unpacked(`session-${suite.index}-${trial.n}`, exact) : null,
    trial.kept ? against(trial) : null,
  ]);
  // Somebody may have gone on in the meantime.
  if (location.hash !== wanted) return;
  const found = placed(suite, verdicts);
  pane.replaceChildren(...fragment([
    head,
    el("h3", {}, one.trials.length > 1 && `Trial ${line(trial.key)} `, el("code", { class: "dim" }, line(trial.id))),
    facts(trial),
    trial.error !== undefined && el("p", { class: "note error" }, "Not measured: ", trial.error),
    verdictList(one, trial, verdicts, go),
    differences(compared || [], trial),
    session
      ? [el("h3", {}, "Waterfall"), waterfall(session, found, go), el("h3", {}, "Transcript"), transcript(session, found)]
      : elsewhere(trial),
  ]));
  pane.scrollTop = 0;
  if (verdict !== undefined) showVerdict(verdict, suite);
}

function facts(trial) {
  const known = run.facts.map((name, i) => [name, trial.facts[i]]).filter(([, v]) => v !== null && v !== undefined);
  return el("dl", { class: "facts" }, known.map(([name, v]) => [el("dt", {}, FACTS[name].name), el("dd", {}, FACTS[name].show(v))]));
}

// Checks down, trials across.
function matrix(one, trial) {
  const { suite } = one;
  const letters = one.trials.map((t) => new Map(t.verdicts));
  const checks = [...new Set(one.trials.flatMap((t) => t.verdicts.map(([c]) => c)))].sort((a, b) => {
    const bad = (c) => (one.failing.has(c) ? 0 : 1);
    return bad(a) - bad(b) || a - b;
  });
  const row = (name, cell, title) => el("tr", {}, el("th", { scope: "row", title }, name), one.trials.map((t, i) => el("td", { class: t === trial ? "at" : "" }, cell(t, i))));
  return wide("Trials", el("table", { class: "matrix" },
    el("thead", {}, el("tr", {}, el("td", {}), one.trials.map((t) => el("th", { scope: "col", class: t === trial ? "at" : "" },
      el("a", { href: link(suite.name, one.id, t.key), "aria-current": t === trial ? "true" : undefined }, sign(t.status), " ", cut(line(t.key), 14)))))),
    el("tbody", {},
      checks.map((c) => row([line(suite.checks[c].id), !blocks(suite.checks[c]) && el("span", { class: "dim" }, ` ${suite.checks[c].severity}`)], (t, i) => {
        const letter = letters[i].get(c) || ".";
        return letter === "." ? sign(letter) : el("a", { href: link(suite.name, one.id, t.key, suite.checks[c].id) }, sign(letter));
      }, `${suite.checks[c].level} ${line(suite.checks[c].check)}`)),
      ["session_ms", "tokens", "cost_usd", "tool_calls"].filter((name) => one.trials.some((t) => fact(t, name) !== null)).map((name) => row(
        el("span", { class: "dim" }, FACTS[name].name),
        (t) => (fact(t, name) === null ? "" : FACTS[name].show(fact(t, name))))))));
}

const WORST = { f: 0, e: 1, h: 2, p: 3, s: 4 };

// What the check would have said, of a verdict that waits for a person, and how sure it is.
function certainty(finding) {
  const said = [];
  if (finding.proposal && finding.status === "held") said.push(`proposed: ${line(finding.proposal)}`);
  if (finding.confidence !== undefined) said.push(`confidence ${short(finding.confidence)}`);
  return said.length > 0 && el("span", { class: "dim" }, ` ${said.join(", ")}`);
}

// Why a verdict goes to a person, in words.
const WHY = {
  below: (w) => `less sure than ${short(w.threshold)}`,
  always: () => "every verdict of this check does",
  tag: (w) => `the tag ${line(w.tag)}`,
  severity: (w) => `its severity is ${line(w.severity)}`,
  disagreement: (w) => `the opinions differ: ${line(w.votes)}`,
  detector: (w) => `the detector ${line(w.detector)} found something`,
  audit: (w) => `drawn at random, as ${short(w.rate * 100)} in 100 are`,
};

function sentTo(finding) {
  const { routed } = finding;
  if (!routed || !routed.why || !routed.why.length) return false;
  const why = routed.why.map((w) => (WHY[w.why] ? WHY[w.why](w) : line(w.why)));
  return el("p", { class: "routed dim" }, `${finding.status === "held" ? "waits for a person" : "sent to a person"}: ${why.join("; ")}`);
}

function verdictList(one, trial, verdicts, goTo) {
  const { suite } = one;
  const said = new Map(verdicts.map((v) => [v.check, v]));
  const sorted = [...trial.verdicts].sort((a, b) => WORST[a[1]] - WORST[b[1]] || !blocks(suite.checks[a[0]]) - !blocks(suite.checks[b[0]]) || a[0] - b[0]);
  const item = ([index, letter]) => {
    const check = suite.checks[index];
    const verdict = said.get(index);
    const findings = (verdict && verdict.findings) || [];
    return el("li", { class: `verdict ${WORDS[letter]}`, id: `verdict-${index}`, tabindex: "-1" },
      el("p", { class: "head" }, sign(letter), " ", el("a", { href: link(suite.name, one.id, trial.key, check.id), class: "id" }, line(check.id)),
        check.severity !== "block" && badge(check.severity),
        el("span", { class: "dim" }, ` ${check.level} ${line(check.check)}, ${line(check.location)}`),
        verdict && verdict.score !== undefined && el("span", { class: "dim" }, `, score ${short(verdict.score)}`)),
      verdict && verdict.reason && reason(verdict.reason),
      findings.length > 0 && el("ul", { class: "findings" }, findings.map((f) => el("li", {}, sign(LETTERS[f.status]), " ", where(f, goTo, trial.kept), certainty(f), sentTo(f), f.reason && reason(f.reason)))));
  };
  const bad = sorted.filter(([, letter]) => letter !== "p" && letter !== "s");
  const good = sorted.filter(([, letter]) => letter === "p" || letter === "s");
  if (!sorted.length) return el("p", { class: "note" }, "No check applied to this session.");
  return [
    el("h3", {}, "Verdicts"),
    bad.length > 0 && el("ul", { class: "verdicts" }, bad.map(item)),
    good.length > 0 && el("details", { open: !bad.length && good.length < 12 },
      el("summary", {}, `${plural(good.length, "check")} passed or skipped`), el("ul", { class: "verdicts" }, good.map(item))),
  ];
}

// The places a finding points at, as links where the transcript is here.
function where(finding, goTo, here) {
  const places = (finding.evidence || []).map((e) => [placeOf(e), e]);
  if (!places.length) {
    const s = finding.subject;
    if (s && s.span !== undefined) places.push([`span:${s.span}`, {}]);
    else if (s && s.turn !== undefined) places.push([`turn:${s.turn}`, {}]);
  }
  return places.slice(0, 8).map(([place, e]) => {
    const [kind, n] = place.split(":");
    const name = `${kind === "turn" ? `turn ${Number(n) + 1}` : kind === "span" ? `span ${n}` : "session"}${e.field && e.field !== "whole" ? ` ${e.field}` : ""}${e.pointer ? ` ${named(e.pointer)}` : ""}`;
    return here
      ? [el("button", { type: "button", class: "place", onclick: () => goTo(e.field === "user" ? `user:${n}` : place) }, name), " "]
      : [el("span", { class: "dim" }, name), " "];
  });
}

function showVerdict(id, suite) {
  const index = suite.checks.findIndex((c) => c.id === id);
  const target = byId(`verdict-${index}`);
  if (!target) return;
  for (let up = target; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  point(target);
}

// Of a session that passed a difference is one that its checks allow: it is there to look at, closed.
function differences(against, trial) {
  if (!against.length) return null;
  if (trial.status !== "p" && trial.status !== "s") return against.map(difference);
  return el("details", { class: "more" }, el("summary", {}, "Differences from what was expected that its checks allow"), against.map(difference));
}

// Where the transcript is, when it is not here.
function elsewhere(trial) {
  const { suite, at, id } = trial;
  const file = suite.end.files[at[0]];
  const quoted = (text) => (/^[\w./:@+-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`);
  const several = suite.end.put_together ? " (or in files beside it)" : "";
  return el("div", { class: "note" },
    el("p", {}, `The transcript of this session is not in this report: of those that passed only a sample is kept, and of all no more than `,
      "the settings keep, keep_limit and keep_sample allow."),
    file !== undefined && el("p", {}, `It is in the recording${several}: `, el("code", {}, `seatrial show ${quoted(line(file))} ${quoted(line(id))}`)));
}
