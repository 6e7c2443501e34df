// A suite against an earlier run of it: which cases newly fail and newly pass, by the checks that are the same in both.

const NEWLY = [
  ["newly failing", (was, is) => was === "p" && is === "f"],
  ["newly not measured", (was, is) => was !== "e" && is === "e"],
  ["newly passing", (was, is) => was !== undefined && was !== "p" && is === "p"],
  ["failing as before", (was, is) => was === "f" && is === "f"],
  ["passing as before", (was, is) => was === "p" && is === "p"],
];

// The cases of both, with what became of each: a letter, undefined where a run does not have it.
function compared(suite, past) {
  const positions_ = new Map(past.checks.map((c, i) => [`${c.id} ${c.digest}`, i]));
  const same = [];
  suite.checks.forEach((c, i) => {
    const then = positions_.get(`${c.id} ${c.digest}`);
    if (then !== undefined && blocks(c) && past.checks[then].blocks) same.push([i, then]);
  });
  const was = new Map(past.cases.map((c) => [c.id, together([
    ...c.trials.map((t) => (t.startsWith("!") ? "e" : together(same.map(([, then]) => t[then]).filter((l) => l !== "-")))),
    ...(c.missing ? ["e"] : []),
  ])]));
  const now = new Map(suite.cases.map((c) => [c.id, together([
    ...c.trials.map((t) => {
      const letters = new Map(t.verdicts);
      return t.error !== undefined ? "e" : together(same.map(([i]) => letters.get(i)).filter(Boolean));
    }),
    ...(c.missing ? ["e"] : []),
  ])]));
  return { same: same.length, was, now };
}

function baselineOf(suite, event) {
  const head = el("h3", {}, "Against the baseline ", el("code", {}, line(event.name)));
  const past = event.found.baseline;
  if (!past) {
    const [[what, why]] = Object.entries(event.found);
    return [head, el("p", { class: "note error" }, `${what === "missing" ? "It could not be read" : "It was refused"}: `, String(why))];
  }
  const { same, was, now } = compared(suite, past);
  const groups = NEWLY.map(([name, is]) => [name, [...now].filter(([id, letter]) => is(was.get(id), letter)).map(([id]) => id)]);
  groups.push(["new", [...now.keys()].filter((id) => !was.has(id))]);
  groups.push(["gone", [...was.keys()].filter((id) => !now.has(id))]);
  const links = (ids) => [ids.slice(0, 20).map((id) => [now.has(id) ? el("a", { href: link(suite.name, id) }, cut(line(id), 60)) : cut(line(id), 60), " "]),
    ids.length > 20 && `and ${grouped(ids.length - 20)} more`];
  return [
    head,
    el("p", { class: "dim" }, `run ${line(past.run)}, by ${plural(same, "blocking check")} that ${same === 1 ? "is" : "are"} the same in both`),
    el("table", { class: "rules" }, el("tbody", {}, groups.filter(([, ids]) => ids.length).map(([name, ids]) => el("tr", {},
      el("th", { scope: "row" }, name), el("td", { class: "n" }, grouped(ids.length)),
      el("td", {}, name === "passing as before" ? "" : links(ids)))))),
  ];
}
