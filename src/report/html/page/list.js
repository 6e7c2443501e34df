// The list of cases, a line each. Only the lines in sight are elements, so its length costs nothing.

const ROW = 30;
const MAX_TRIALS = 12;
const MAX_PRINTED = 300;

const list = {
  cases: [],
  at: 0,
  first: -1,

  begin() {
    this.box = byId("list");
    this.sheet = el("div", { class: "sheet", role: "presentation" });
    this.box.append(this.sheet);
    this.box.addEventListener("scroll", () => this.draw());
    for (const name of ["session_ms", "tokens", "cost_usd"]) {
      if (run.cases.every((c) => factOf(c, name) === null)) this.box.classList.add(`without-${name}`);
    }
    this.sheet.addEventListener("click", (e) => {
      const row = e.target.closest(".row");
      if (!row) return;
      this.select(Number(row.dataset.n));
      const trial = e.target.closest(".trial");
      if (trial) location.hash = trial.dataset.to;
      else this.open();
    });
    new ResizeObserver(() => this.draw()).observe(this.box);
    addEventListener("beforeprint", () => this.draw(MAX_PRINTED));
    addEventListener("afterprint", () => this.draw());
  },

  // Filters again; what was selected stays so where it is still there.
  show() {
    const before = this.cases[this.at];
    this.cases = matching();
    this.at = Math.max(0, this.cases.indexOf(before));
    const all = run.cases.length;
    const n = this.cases.length;
    byId("count").textContent = n === all ? plural(all, "case") : `${grouped(n)} of ${plural(all, "case")}`;
    this.sheet.style.height = `${n * ROW}px`;
    this.first = -1;
    this.reveal();
    this.draw();
  },

  draw(most) {
    const { scrollTop, clientHeight } = this.box;
    const first = most ? 0 : Math.max(0, Math.floor(scrollTop / ROW) - 8);
    const last = Math.min(this.cases.length, most || Math.ceil((scrollTop + clientHeight) / ROW) + 8);
    const rows = [];
    for (let n = first; n < last; n += 1) rows.push(this.row(n));
    if (most && this.cases.length > most) rows.push(el("p", { class: "note" }, `${grouped(this.cases.length - most)} more cases are not printed`));
    if (!this.cases.length) rows.push(el("p", { class: "note" }, "No case is like that. Esc clears the search."));
    this.sheet.replaceChildren(...rows);
    this.box.setAttribute("aria-activedescendant", this.cases.length ? `row-${this.at}` : "");
  },

  row(n) {
    const one = this.cases[n];
    // No links: an option of a list holds nothing that could be operated by itself. Keys reach them in the case.
    const trials = one.trials.slice(0, MAX_TRIALS).map((t) => el("span", {
      class: `trial ${WORDS[t.status]}`, "data-to": link(one.suite.name, one.id, t.key), role: "img",
      title: `trial ${line(t.key)}: ${SAID[t.status]}`, "aria-label": `trial ${line(t.key)} ${SAID[t.status]}`,
    }, SIGNS[t.status]));
    const more = one.trials.length - trials.length;
    const checks = [...one.failing].map(([c]) => one.suite.checks[c].id);
    const numbers = ["session_ms", "tokens", "cost_usd"].map((name) => {
      const value = factOf(one, name);
      return el("span", { class: `number ${name}`, title: FACTS[name].name }, value === null ? "" : FACTS[name].show(value));
    });
    const row = el("div", {
      class: `row ${WORDS[one.status]}${n === this.at ? " at" : ""}`, id: `row-${n}`, role: "option", "data-n": n,
      "aria-selected": n === this.at ? "true" : "false", "aria-setsize": this.cases.length, "aria-posinset": n + 1,
    },
    sign(one.status),
    el("span", { class: "name", title: `${line(one.suite.name)}: ${line(one.id)}` },
      run.suites.length > 1 && [el("span", { class: "dim" }, line(one.suite.name)), "\u00a0/\u00a0"], el("span", { class: "id" }, line(one.id))),
    one.flaky && el("span", { class: "badge flaky" }, "flaky"),
    one.missing > 0 && el("span", { class: "badge error" }, one.trials.length ? `${one.missing} trials missing` : "no session"),
    excuse(one),
    el("span", { class: "checks", title: checks.map(line).join(", ") }, checks.map(line).join(", ")),
    one.trials.length > 1 && el("span", { class: "trials" }, trials, more > 0 && `+${more}`),
    el("span", { class: "numbers" }, numbers));
    row.style.top = `${n * ROW}px`;
    return row;
  },

  select(n) {
    if (!this.cases.length) return;
    this.at = Math.min(Math.max(n, 0), this.cases.length - 1);
    this.reveal();
    this.draw();
  },

  reveal() {
    const { box } = this;
    const top = this.at * ROW;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
  },

  open() {
    const one = this.cases[this.at];
    if (!one) return;
    location.hash = link(one.suite.name, one.id);
    // From here on the arrow keys move what was opened; Esc leads back.
    byId("pane").focus({ preventScroll: true });
  },
};

// What the suite says of a case beforehand.
function excuse(one) {
  const declared = one.declared;
  if (!declared) return null;
  if (declared.skip) return el("span", { class: "badge skip", title: line(declared.skip) }, "skipped");
  const expected = declared.expected_fail;
  if (!expected) return null;
  const title = line(`expected to fail until ${expected.until}: ${expected.reason}`);
  return el("span", { class: "badge skip", title }, one.status === "p" ? "surprise" : "expected");
}
