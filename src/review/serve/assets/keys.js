// The keyboard. What a page has no use for is not among its keys.

const EVERYWHERE = [
  ["g", "the queue"],
  ["t", "light, dark, or as the system has it"],
  ["?", "this help"],
];

const ON_QUEUE = [
  ["n", "take the next item"],
  ["j, k", "next, previous item of the list"],
  ["Enter", "open it"],
  ["/", "filter"],
  ["Esc", "leave the field"],
];

const ON_ITEM = [
  ["p, f, s", "pass, fail, skip"],
  ["1 to 4", "the reason, of a skip"],
  ["c", "comment"],
  ["Enter", "save; take the item where nobody has it"],
  ["Ctrl Enter", "save, also from within the comment"],
  ["Esc", "leave the comment"],
  ["x", "give it back; the draft is kept"],
  ["u", "undo your answer"],
  ["n", "next item"],
  ["r", "make a regression case of it"],
  ["e", "next place that the check looked at"],
  ["j, k", "next, previous turn or operation"],
  ["b", "baseline beside, or not"],
];

const spot = { place: -1, row: -1 };

function press(id) {
  const form = byId(id);
  const button = form && form.querySelector("button:not(:disabled)");
  if (button) button.click();
  return Boolean(button);
}

function choose(answer) {
  const input = byId(`answer-${answer}`);
  if (!input || work.lost) return;
  input.checked = true;
  input.focus();
  changed();
}

function nextPlace(data) {
  const all = places(data);
  if (!all.length) {
    byId("session-view").focus();
    return;
  }
  spot.place = (spot.place + 1) % all.length;
  go(all[spot.place]);
}

function nextBlock(step) {
  const blocks = [...document.querySelectorAll("#candidate [data-place]")].filter((b) => b.offsetParent);
  if (!blocks.length) return;
  const at = blocks.findIndex((b) => b.classList.contains("pointedat"));
  point(blocks[Math.min(Math.max(at === -1 ? (step > 0 ? 0 : blocks.length - 1) : at + step, 0), blocks.length - 1)]);
}

function nextRow(step) {
  const links = [...document.querySelectorAll("#items a.open")];
  if (!links.length) return;
  spot.row = Math.min(Math.max(spot.row + step, 0), links.length - 1);
  links[spot.row].focus();
}

function toggleBaseline() {
  const button = byId("hide-baseline");
  if (!button) return;
  const beside = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(beside));
  document.querySelector(".sides").classList.toggle("two", beside);
}

function save() {
  const form = byId("answer");
  if (form && !byId("save").disabled) form.requestSubmit(byId("save"));
}

function help() {
  const dialog = byId("keys");
  if (!dialog.childElementCount) {
    const own = byId("ask") ? ON_ITEM : byId("items") || byId("next") ? ON_QUEUE : [];
    dialog.append(el("h2", {}, "Keys"),
      el("table", {}, el("tbody", {}, [...own, ...EVERYWHERE].map(([key, what]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, what))))),
      el("form", { method: "dialog" }, el("button", {}, "Close")));
  }
  dialog.showModal();
}

function onKey(e) {
  if (byId("keys").open) return;
  // Within another form it is not the answer that is meant.
  if ((e.ctrlKey || e.metaKey) && e.key === "Enter" && byId("answer") && (e.target.form || byId("answer")) === byId("answer")) {
    e.preventDefault();
    save();
    return;
  }
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (typing(e.target) && !e.target.matches("[type=radio]")) {
    if (e.key === "Escape") {
      e.preventDefault();
      e.target.blur();
      byId("pane").focus();
      return;
    }
    // A reason is chosen by its number also where the list of them has the focus.
    if (!(e.target.id === "reason" && (/^[1-4]$/.test(e.key) || e.key === "Enter"))) return;
  }
  const item = byId("ask");
  const onButton = e.target.matches("button, a, summary, .op");
  const skips = byId("answer-skip") && byId("answer-skip").checked;
  const actions = {
    t: nextTheme,
    "?": byId("help") && help,
    g: byId("help") && (() => { location.href = "/"; }),
    n: () => press("next"),
    "/": byId("search") && (() => byId("search").focus()),
  };
  if (!item) Object.assign(actions, { j: () => nextRow(1), k: () => nextRow(-1) });
  if (item) {
    Object.assign(actions, {
      e: () => nextPlace(work.data), j: () => nextBlock(1), k: () => nextBlock(-1), b: toggleBaseline,
      u: () => press("undo"), r: () => press("case"),
      Enter: !onButton && (() => press("take") || save()),
    });
  }
  if (byId("answer")) {
    Object.assign(actions, {
      p: () => choose("pass"), f: () => choose("fail"),
      s: () => { choose("skip"); byId("reason").focus(); },
      c: () => byId("comment").focus(),
      x: byId("release") && (() => byId("release").click()),
    });
    if (skips) for (const n of [1, 2, 3, 4]) actions[n] = () => { byId("reason").selectedIndex = n; changed(); };
  }
  const action = Object.hasOwn(actions, e.key) && actions[e.key];
  if (action) {
    e.preventDefault();
    action();
  }
}
