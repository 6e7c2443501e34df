// The session of an item, drawn as the report draws it, with the places that the question is about.

// Where the check looked; without a place of its own, what it was asked about.
function places(data) {
  const finding = data.verdicts[0].findings[0];
  const cited = (finding.evidence || []).map((e) => (e.field === "user" ? `user:${e.turn}` : placeOf(e)));
  if (cited.length) return [...new Set(cited)];
  const { subject } = finding;
  if (subject.span !== undefined) return [`span:${subject.span}`];
  if (subject.turn !== undefined) return [`turn:${subject.turn}`];
  return [];
}

function parsed(id) {
  const node = byId(id);
  return node && JSON.parse(node.textContent, exact);
}

function drawSession(data) {
  const session = parsed("session");
  if (!session) return;
  const suite = { checks: data.checks };
  const found = placed(suite, data.verdicts);
  const differs = byId("differences");
  if (data.unread) differs.append(el("p", { class: "trouble" }, "Expected against actual cannot be read: ", data.unread));
  differs.append(...fragment(data.differences.map(difference)));
  byId("candidate").append(...fragment([
    el("h3", {}, "Waterfall"), waterfall(session, found, go), el("h3", {}, "Transcript"), transcript(session, found),
  ]));
  const before = parsed("baseline");
  if (before) {
    const nothing = new Map();
    byId("before").append(...fragment([
      el("h3", {}, "Waterfall"), waterfall(before, nothing, () => {}), el("h3", {}, "Transcript"), transcript(before, nothing),
    ]));
    // What is pointed at is in the candidate alone.
    for (const node of byId("before").querySelectorAll("[data-place]")) delete node.dataset.place;
    // Two turns of one name could not be told apart by who hears them.
    for (const node of byId("before").querySelectorAll("[aria-label]")) node.ariaLabel += ", baseline";
  }
}
