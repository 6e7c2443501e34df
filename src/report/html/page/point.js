// Where somebody looks in a session: a place that was asked for is opened, marked and given the focus.

// Shows a place of the transcript.
function go(place) {
  const target = [...document.querySelectorAll("#pane [data-place]")].find((b) => b.dataset.place === place);
  if (!target) return;
  for (let up = target; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  for (const inner of target.querySelectorAll("details.op")) inner.open = true;
  point(target);
}

function point(target) {
  for (const old of document.querySelectorAll("#pane .pointedat")) old.classList.remove("pointedat");
  target.classList.add("pointedat");
  target.scrollIntoView({ block: "center" });
  target.focus({ preventScroll: true });
}
