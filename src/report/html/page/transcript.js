// A session as a conversation, with every verdict beside what it points at.

// All operations in order, with the position that evidence points with, their turn and how deep they stand.
function spansOf(session) {
  const all = [];
  const depths = new Map();
  const add = (span, turn) => {
    const depth = span.parent !== undefined && depths.has(span.parent) ? depths.get(span.parent) + 1 : 0;
    if (span.id !== undefined) depths.set(span.id, depth);
    all.push({ span, turn, depth, ordinal: all.length });
  };
  for (const span of session.spans || []) add(span, -1);
  (session.turns || []).forEach((turn, i) => (turn.spans || []).forEach((span) => add(span, i)));
  return all;
}

// Findings by the place they point at: `span:3`, `turn:0`, or `session`.
function placed(suite, verdicts) {
  const found = new Map();
  const put = (place, note) => {
    if (!found.has(place)) found.set(place, []);
    found.get(place).push(note);
  };
  for (const verdict of verdicts) {
    const check = suite.checks[verdict.check];
    for (const finding of verdict.findings || []) {
      const places = new Set();
      for (const e of finding.evidence || []) {
        places.add(e.span !== undefined ? `span:${e.span}` : e.turn !== undefined ? `turn:${e.turn}` : "session");
      }
      if (!places.size) {
        const subject = finding.subject;
        if (subject && subject.span !== undefined) places.add(`span:${subject.span}`);
        else if (subject && subject.turn !== undefined) places.add(`turn:${subject.turn}`);
        else places.add("session");
      }
      for (const place of places) put(place, { check, index: verdict.check, finding, evidence: (finding.evidence || []).filter((e) => placeOf(e) === place) });
    }
  }
  return found;
}

function placeOf(e) {
  return e.span !== undefined ? `span:${e.span}` : e.turn !== undefined ? `turn:${e.turn}` : "session";
}

function worstOf(notes) {
  return notes ? together(notes.map((n) => LETTERS[n.finding.status])) : null;
}

// A reason. What was expected, what happened and where they part are lines of their own where they are long, as in the
// terminal; the lines of a difference in it are coloured.
function reason(text) {
  const [first, ...rest] = text.split("\n");
  if (!rest.length) {
    return (text.length > 80 ? text.split(/; (?=actual: |first difference: )/) : [text])
      .map((part) => el("p", {}, long(part, 700, (t) => document.createTextNode(safe(t)))));
  }
  const lines = rest.map((l) => el("span", { class: l.startsWith("+") ? "ins" : l.startsWith("-") ? "del" : "" }, `${l}\n`));
  return [el("p", {}, first), el("pre", { class: "diff" }, lines)];
}

function note(n) {
  return el("div", { class: `aside ${n.finding.status}` },
    el("p", { class: "head" }, sign(LETTERS[n.finding.status]), " ", el("a", { href: `#verdict-${n.index}`, "data-verdict": n.index }, line(n.check.id))),
    n.finding.reason && reason(n.finding.reason));
}

// Evidence in one field of one place.
function within(notes, field) {
  return (notes || []).flatMap((n) => n.evidence).filter((e) => e.field === field);
}

// What is on the left, and on the right the verdicts about it.
function block(place, name, content, notes) {
  return el("div", { class: `block${notes ? ` noted ${WORDS[worstOf(notes)]}` : ""}`, "data-place": place, tabindex: "-1" },
    el("div", { class: "said" }, name && el("p", { class: "who" }, name), content),
    notes && el("div", { class: "asides" }, notes.map(note)));
}

function words(text, evidence) {
  const ranges = evidence.map((e) => e.range).filter(Boolean);
  const whole = evidence.length > 0 && !ranges.length;
  const make = (t) => el("div", { class: `text${whole ? " pointed" : ""}` }, ranges.length ? marked(t, ranges) : t);
  return ranges.length ? make(text) : long(text, 6000, make);
}

function operation({ span, ordinal, depth }, found) {
  const notes = found.get(`span:${ordinal}`);
  const ms = span.start_ns !== undefined && span.end_ns !== undefined ? (Number(span.end_ns) - Number(span.start_ns)) / 1e6 : undefined;
  const used = span.usage && [span.usage.input, span.usage.output].every((n) => n !== undefined) ? `${grouped(span.usage.input)} + ${grouped(span.usage.output)} tokens` : undefined;
  const facts = [span.agent && `by ${named(span.agent)}`, span.model && named(span.model), ms !== undefined && duration(Math.max(0, ms)), used,
    span.cost_usd !== undefined && dollars(Number(span.cost_usd))].filter(Boolean).join(", ");
  const parts = [];
  if (span.input !== undefined) parts.push(["in", "input", span.input]);
  if (span.output !== undefined && span.output !== null) parts.push(["out", "output", span.output]);
  const told = span.kind === "tool" || span.kind === "retrieval" || span.kind === "memory" || span.kind === "guardrail";
  const head = el("summary", {}, el("span", { class: `kind ${span.kind}` }, span.kind), " ", el("b", {}, named(span.name)),
    span.status === "error" && badge("error"), " ", el("span", { class: "dim" }, facts));
  const body = el("details", { class: `op depth${Math.min(depth, 6)}`, open: told || Boolean(notes) }, head,
    parts.map(([label, field, value]) => el("div", { class: "payload" }, el("span", { class: "dim" }, label), payload(value, within(notes, field)))),
    span.status_message !== undefined && el("div", { class: "error" }, words(span.status_message, [])),
    (span.events || []).length > 0 && el("div", { class: "payload" }, el("span", { class: "dim" }, "events"), jsonView(span.events, [])),
    span.attributes && el("details", { class: "more" }, el("summary", {}, "attributes"), lazily(() => jsonView(span.attributes, within(notes, "attributes").map((e) => e.pointer)))));
  return block(`span:${ordinal}`, null, body, notes);
}

// Drawn when its details are opened for the first time.
function lazily(make) {
  const box = el("div", {});
  new IntersectionObserver((seen, self) => {
    if (seen.some((s) => s.isIntersecting)) {
      self.disconnect();
      box.append(make());
    }
  }).observe(box);
  return box;
}

function turnOf(session, turn, index, spans, found) {
  const notes = found.get(`turn:${index}`);
  const facts = [];
  if (turn.start_ns !== undefined && turn.end_ns !== undefined) facts.push(duration((Number(turn.end_ns) - Number(turn.start_ns)) / 1e6));
  if (turn.ttft_ns !== undefined) facts.push(`first token after ${duration(Number(turn.ttft_ns) / 1e6)}`);
  const about = (notes || []).filter((n) => !n.evidence.length || n.evidence.some((e) => e.field !== "user"));
  const toUser = (notes || []).filter((n) => !about.includes(n));
  return el("section", { class: "turn", "aria-label": `Turn ${index + 1}` },
    el("h4", {}, turn.closing ? "Closing message" : `Turn ${index + 1}`, " ", el("span", { class: "dim" }, facts.join(", "))),
    turn.user !== undefined && block(`user:${index}`, "user", words(turn.user, within(notes, "user")), toUser.length ? toUser : null),
    spans.map((s) => operation(s, found)),
    block(`turn:${index}`, turn.reply !== undefined ? "reply" : null,
      turn.reply !== undefined ? words(turn.reply, within(notes, "reply")) : el("p", { class: "dim" }, turn.closing ? "The user ended the conversation." : "No reply is recorded."),
      about.length ? about : null));
}

function transcript(session, found) {
  const spans = spansOf(session);
  const before = spans.filter((s) => s.turn === -1);
  const notes = found.get("session");
  return [
    notes && block("session", null, el("p", { class: "dim" }, "About the session as a whole"), notes),
    session.instructions !== undefined && el("details", { class: "more" }, el("summary", {}, "Instructions"), words(session.instructions, [])),
    before.length > 0 && el("section", { class: "turn" }, el("h4", {}, "Before the first turn"), before.map((s) => operation(s, found))),
    (session.turns || []).map((turn, i) => turnOf(session, turn, i, spans.filter((s) => s.turn === i), found)),
    session.state !== undefined && el("details", { class: "more" }, el("summary", {}, "Final state"), lazily(() => jsonView(session.state, within(notes, "state").map((e) => e.pointer)))),
    session.reference && el("details", { class: "more" }, el("summary", {}, "What the recording expects"), lazily(() => jsonView(session.reference, []))),
    session.attributes && el("details", { class: "more" }, el("summary", {}, "Attributes of the session"), lazily(() => jsonView(session.attributes, []))),
  ];
}
