// Small charts of how sessions are distributed: bars of those that passed and of those that did not, with the median
// and the 95th percentile, by nearest rank as in the checks.

const BARS = 28;

function rank(sorted, share) {
  return sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)];
}

// Bars of equal width, or of equal ratio where the values span more than two orders of magnitude.
function scale(sorted) {
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  if (least > 0 && most / least > 100) {
    const span = Math.log(most / least);
    return { ratio: true, of: (v) => Math.log(v / least) / span };
  }
  return { ratio: false, of: (v) => (most === least ? 0.5 : (v - least) / (most - least)) };
}

function chart(name, sessions) {
  const known = sessions.filter((s) => fact(s, name) !== null && fact(s, name) !== undefined);
  if (!known.length) return null;
  const sorted = known.map((s) => fact(s, name)).sort((a, b) => a - b);
  const { of, ratio } = scale(sorted);
  const bars = Array.from({ length: BARS }, () => [0, 0]);
  for (const s of known) {
    const bar = Math.min(BARS - 1, Math.floor(of(fact(s, name)) * BARS));
    bars[bar][s.status === "p" || s.status === "s" ? 0 : 1] += 1;
  }
  const [width, height] = [280, 64];
  const highest = Math.max(...bars.map(([a, b]) => a + b));
  const step = width / BARS;
  const { name: title, show } = FACTS[name];
  const marks = [["median", rank(sorted, 0.5)], ["p95", rank(sorted, 0.95)]];
  const text = `${marks.map(([m, v]) => `${m} ${show(v)}`).join(", ")}, most ${show(sorted[sorted.length - 1])}`;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height + 2}`, role: "img", "aria-label": `${title} of ${known.length} sessions: ${text}` });
  bars.forEach(([passed, not], i) => {
    const unit = height / highest;
    const x = i * step + 0.5;
    const tall = (n) => (n ? Math.max(1, n * unit) : 0);
    if (passed) picture.append(svg("rect", { class: "bar pass", x, y: height - tall(passed), width: step - 1, height: tall(passed) }));
    if (not) picture.append(svg("rect", { class: "bar fail", x, y: height - tall(passed) - tall(not), width: step - 1, height: tall(not) }));
  });
  picture.append(svg("line", { class: "axis", x1: 0, x2: width, y1: height + 0.5, y2: height + 0.5 }));
  for (const [mark, value] of marks) {
    const x = Math.min(width - 1, Math.max(1, of(value) * width));
    picture.append(svg("line", { class: `mark ${mark}`, x1: x, x2: x, y1: 0, y2: height }, svg("title", {}, `${mark} ${show(value)}`)));
  }
  const some = known.length < sessions.length && `, recorded for ${grouped(known.length)} of ${grouped(sessions.length)}`;
  return el("figure", { class: "chart" },
    el("figcaption", {}, el("b", {}, title), " ", el("span", { class: "dim" }, text, some, ratio && ", log scale")),
    picture,
    el("div", { class: "ends dim" }, el("span", {}, show(sorted[0])), el("span", {}, show(sorted[sorted.length - 1]))));
}

function charts(sessions) {
  const drawn = ["session_ms", "tokens", "cost_usd", "tool_calls"].map((name) => chart(name, sessions)).filter(Boolean);
  if (!drawn.length) return null;
  return [
    el("h3", {}, "Distributions ", el("span", { class: "legend" }, el("i", { class: "pass" }), " passed ", el("i", { class: "fail" }), " did not")),
    el("div", { class: "charts" }, drawn),
  ];
}
