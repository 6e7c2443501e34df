// When the operations of a session ran. Waits between turns, in which a person thought, are cut short, so that the
// agent's own time can be seen.

const BAR = 16;
const MAX_BARS = 400;
const LABEL = 190;
const WIDTH = 860;

function waterfall(session, found, go) {
  const spans = spansOf(session).filter(({ span }) => span.start_ns !== undefined && span.end_ns !== undefined);
  if (!spans.length) return el("p", { class: "note" }, "The recording has no times, so there is no waterfall.");
  const shown = spans.slice(0, MAX_BARS);
  const axis = timeAxis(shown.map(({ span }) => [Number(span.start_ns), Math.max(Number(span.start_ns), Number(span.end_ns))]));
  const height = shown.length * BAR + 22;
  const picture = svg("svg", { class: "waterfall", viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": `Waterfall of ${plural(shown.length, "operation")}` });
  for (const tick of axis.ticks) {
    picture.append(svg("line", { class: "tick", x1: tick.x, x2: tick.x, y1: 14, y2: height }), svg("text", { class: "label dim", x: tick.x + 2, y: 10 }, tick.text));
  }
  for (const gap of axis.gaps) {
    picture.append(svg("rect", { class: "gap", x: gap.x, y: 14, width: gap.width, height: height - 14 }, svg("title", {}, `${duration(gap.ms)} without an operation, cut short`)));
  }
  let turn;
  shown.forEach(({ span, ordinal, turn: of, depth }, i) => {
    const y = 18 + i * BAR;
    if (of !== turn && i > 0) picture.append(svg("line", { class: "turnline", x1: 0, x2: WIDTH, y1: y - 1, y2: y - 1 }));
    turn = of;
    const x = axis.x(Number(span.start_ns));
    const width = Math.max(2, axis.x(Number(span.end_ns)) - x);
    const status = worstOf(found.get(`span:${ordinal}`));
    const took = duration((Number(span.end_ns) - Number(span.start_ns)) / 1e6);
    const name = named(span.name);
    const text = `${span.kind} ${name}, ${took}${span.status === "error" ? ", ended in an error" : ""}${status ? `, ${SAID[status]}` : ""}`;
    const open = () => go(`span:${ordinal}`);
    picture.append(svg("g", {
      class: "op", tabindex: "0", role: "link",
      onclick: open, onkeydown: (e) => { if (e.key === "Enter") { e.stopPropagation(); open(); } },
    },
    svg("title", {}, text),
    svg("rect", { class: "hit", x: 0, y: y - 1, width: WIDTH, height: BAR }),
    status && svg("text", { class: `label sign ${WORDS[status]}`, "aria-hidden": "true", x: 1, y: y + 10 }, SIGNS[status]),
    svg("text", { class: "label", "aria-hidden": "true", x: 12 + Math.min(depth, 6) * 8, y: y + 10 }, cut(name, 22 - Math.min(depth, 6))),
    svg("rect", { class: `span ${span.kind}${span.status === "error" ? " bad" : ""}`, x, y: y + 1, width, height: BAR - 5, rx: 1.5 }),
    span.ttft_ns !== undefined && svg("line", { class: "first", x1: axis.x(Number(span.start_ns) + Number(span.ttft_ns)), x2: axis.x(Number(span.start_ns) + Number(span.ttft_ns)), y1: y + 1, y2: y + BAR - 4 }),
    tookLabel(x, width, y, took)));
  });
  const kinds = [...new Set(shown.map(({ span }) => span.kind))];
  return [
    wide("Waterfall", picture),
    el("p", { class: "legend" }, kinds.map((k) => [el("i", { class: `k ${k}` }), ` ${k} `]),
      spans.length > shown.length && ` ${grouped(spans.length - shown.length)} more operations are not drawn`),
  ];
}

// How long it took: behind the bar, before it, or within it, where there is room.
function tookLabel(x, width, y, took) {
  const label = (kind, at, anchor) => svg("text", { class: `label ${kind}`, "aria-hidden": "true", x: at, y: y + 10, "text-anchor": anchor }, took);
  if (x + width <= WIDTH - 60) return label("dim", x + width + 4);
  if (x - LABEL > 60) return label("dim", x - 4, "end");
  return label("inside", x + width - 4, "end");
}

// From times to places: pieces in which something ran, with cut waits between them.
function timeAxis(intervals) {
  const sorted = [...intervals].sort((a, b) => a[0] - b[0]);
  const busy = [];
  for (const [from, to] of sorted) {
    const last = busy[busy.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else busy.push([from, to]);
  }
  const total = busy.reduce((n, [a, b]) => n + b - a, 0);
  const least = Math.max(total * 0.15, 1);
  const pieces = [];
  for (const [a, b] of busy) {
    const last = pieces[pieces.length - 1];
    if (last && a - last[1] <= least) last[1] = b;
    else pieces.push([a, b]);
  }
  const room = WIDTH - LABEL - 10;
  const between = Math.min(14, room / (4 * pieces.length));
  const span = pieces.reduce((n, [a, b]) => n + b - a, 0) || 1;
  const unit = (room - between * (pieces.length - 1)) / span;
  const [ticks, gaps] = [[], []];
  let x = LABEL;
  for (const [i, piece] of pieces.entries()) {
    piece[2] = x;
    if (i > 0) gaps.push({ x: x - between, width: between, ms: (piece[0] - pieces[i - 1][1]) / 1e6 });
    if (i === 0 || piece[2] - ticks[ticks.length - 1].x > 56) ticks.push({ x, text: `+${duration((piece[0] - pieces[0][0]) / 1e6)}` });
    x += (piece[1] - piece[0]) * unit + between;
  }
  return {
    ticks, gaps,
    x(ns) {
      let at = pieces[0];
      for (const piece of pieces) if (piece[0] <= ns) at = piece;
      return at[2] + (Math.min(Math.max(ns, at[0]), at[1]) - at[0]) * unit;
    },
  };
}
