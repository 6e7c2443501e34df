// The keyboard.

const KEYS = [
  ["j, k", "next, previous case"],
  ["Enter", "open the case"],
  ["[, ]", "previous, next trial"],
  ["n, p", "next, previous verdict with something to see"],
  ["/", "search"],
  ["Esc", "clear the search; back to the list; back to the overview"],
  ["g", "overview"],
  ["t", "light, dark, or as the system has it"],
  ["?", "this help"],
];

function onKey(e) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const dialog = byId("keys");
  if (dialog.open) return;
  if (typing(e.target)) {
    if (e.key === "Escape") {
      if (e.target.id === "search" && e.target.value) {
        e.target.value = "";
        filter.words = "";
        list.show();
      } else byId("list").focus();
      e.preventDefault();
    }
    return;
  }
  const page = Math.max(1, Math.floor(byId("list").clientHeight / ROW) - 1);
  const inList = document.activeElement === byId("list");
  const onButton = e.target.matches("button, a, summary, .op");
  const actions = {
    j: () => list.select(list.at + 1),
    k: () => list.select(list.at - 1),
    ArrowDown: inList && (() => list.select(list.at + 1)),
    ArrowUp: inList && (() => list.select(list.at - 1)),
    PageDown: inList && (() => list.select(list.at + page)),
    PageUp: inList && (() => list.select(list.at - page)),
    Home: inList && (() => list.select(0)),
    End: inList && (() => list.select(list.cases.length - 1)),
    Enter: !onButton && (() => list.open()),
    o: () => list.open(),
    "/": () => byId("search").focus(),
    Escape: back,
    g: () => { location.hash = "#/"; },
    t: nextTheme,
    n: () => nextNoted(1),
    p: () => nextNoted(-1),
    "[": () => nextTrial(-1),
    "]": () => nextTrial(1),
    "?": help,
  };
  const action = Object.hasOwn(actions, e.key) && actions[e.key];
  if (action) {
    e.preventDefault();
    action();
  }
}

function back() {
  if (filter.words) {
    filter.words = "";
    byId("search").value = "";
    list.show();
  } else if (route().length > 2) {
    location.hash = link(...route().slice(0, 2));
    byId("list").focus();
  } else if (route().length > 0) {
    location.hash = "#/";
    byId("list").focus();
  }
}

// The next place of the transcript with a verdict, seen from the one that is pointed at.
function nextNoted(step) {
  const noted = [...document.querySelectorAll("#pane li.verdict.fail, #pane li.verdict.error, #pane li.verdict.held, #pane .block.noted")];
  if (!noted.length) return;
  const at = noted.findIndex((b) => b.classList.contains("pointedat"));
  const next = at === -1 ? (step > 0 ? 0 : noted.length - 1) : (at + step + noted.length) % noted.length;
  for (let up = noted[next]; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  point(noted[next]);
}

function nextTrial(step) {
  const { one, trial } = selected();
  if (!one || one.trials.length < 2) return;
  const at = one.trials.indexOf(trial);
  location.hash = link(one.suite.name, one.id, one.trials[(at + step + one.trials.length) % one.trials.length].key);
}

function help() {
  const dialog = byId("keys");
  if (!dialog.childElementCount) {
    dialog.append(el("h2", {}, "Keys"),
      el("table", {}, el("tbody", {}, KEYS.map(([key, what]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, what))))),
      el("form", { method: "dialog" }, el("button", {}, "Close")));
  }
  dialog.showModal();
}
