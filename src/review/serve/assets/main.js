// What a page does once it is there.

function main() {
  showTheme(storedTheme());
  byId("theme").addEventListener("click", nextTheme);
  if (byId("help")) byId("help").addEventListener("click", help);
  addEventListener("keydown", onKey);
  if (byId("review")) {
    const data = plain("review");
    beginWork(data);
    byId("to-subject").addEventListener("click", () => nextPlace(data));
    if (byId("hide-baseline")) byId("hide-baseline").addEventListener("click", toggleBaseline);
    byId("pane").addEventListener("click", (e) => {
      const to = e.target.closest("a[data-verdict]");
      if (!to) return;
      e.preventDefault();
      byId("ask").scrollIntoView({ block: "start" });
    });
    try {
      drawSession(data);
    } catch (why) {
      byId("session-view").prepend(el("p", { class: "trouble", role: "alert" }, "The session cannot be drawn: ", String(why)));
    }
  }
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}
