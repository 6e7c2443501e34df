// Expected against actual. Every second piece of a line is one that the line it replaces, or is replaced by, has not.
function difference(against) {
  const shown = against.lines.map(([mark, pieces]) => {
    const kind = mark === "-" ? "del" : mark === "+" ? "ins" : "";
    return el("span", { class: kind }, `${mark} `, pieces.map((piece, i) => (i % 2 ? el("em", {}, piece) : piece)), "\n");
  });
  return el("section", { class: "against" },
    el("h3", {}, "Expected against actual: ", line(against.what)),
    el("p", { class: "legend" }, el("span", { class: "del" }, "- expected, not there"), " ", el("span", { class: "ins" }, "+ there, not expected")),
    el("pre", { class: "diff" }, shown));
}
