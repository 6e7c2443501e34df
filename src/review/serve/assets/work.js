// While somebody answers: the lease is kept, the draft is saved, and nothing that was written is lost when either fails.

// How often a draft is saved at most, in milliseconds after the last change.
const DRAFT_AFTER = 700;

const work = { form: null, data: null, lost: false, shown: 0, since: null, draft: null, saved: "" };

function send(action, fields) {
  const body = new URLSearchParams({ csrf: work.data.csrf, ...fields });
  return fetch(`/item/${work.data.item}/${action}`, { method: "POST", body, redirect: "error", keepalive: true });
}

function begun() {
  const form = new FormData(work.form);
  return { answer: form.get("answer") || "", reason: form.get("reason") || "", comment: form.get("comment") || "" };
}

function tell(text) {
  byId("kept").textContent = text;
}

async function saveDraft() {
  clearTimeout(work.draft);
  work.draft = null;
  const draft = begun();
  const text = JSON.stringify(draft);
  if (text === work.saved) return;
  try {
    const answer = await send("draft", draft);
    if (!answer.ok) throw new Error(String(answer.status));
    work.saved = text;
    tell("draft saved");
  } catch {
    tell("the draft is not saved: it is in this page only");
  }
}

function changed() {
  clearTimeout(work.draft);
  work.draft = setTimeout(saveDraft, DRAFT_AFTER);
  tell("");
  showReason();
}

// Only a skip has a reason.
function showReason() {
  const skips = byId("answer-skip").checked;
  document.querySelector(".why-skip").hidden = !skips;
}

// The lease is not in force any more: what was written stays, and can be taken up again; or one goes on to the next.
function lose(why) {
  work.lost = true;
  clearInterval(work.beat);
  const ofAnswer = ["fence", "submission", "seconds"];
  const hidden = [...work.form.querySelectorAll("input[type=hidden]")].filter((input) => !ofAnswer.includes(input.name));
  const form = (id, action, key, text, more) => el("form", { method: "post", action, id }, hidden.map((input) => input.cloneNode()),
    el("button", { "aria-keyshortcuts": key, ...more }, text, " ", el("kbd", { "aria-hidden": "true" }, key)));
  const note = byId("lost");
  note.replaceChildren(why, " ", "Your draft is kept.");
  note.after(el("div", { class: "actions" },
    form("take", `/item/${work.data.item}/take`, "Enter", "Take it again", { class: "main" }), form("next", "/next", "n", "Next")));
  note.hidden = false;
  byId("save").disabled = true;
  saveDraft();
}

async function renew() {
  const fence = work.form.elements.fence.value;
  try {
    const answer = await send("renew", { fence });
    if (answer.status === 409) return lose((await answer.json()).why);
    if (!answer.ok) throw new Error(String(answer.status));
    const { until } = await answer.json();
    const time = document.querySelector("#lease time");
    time.dateTime = until;
    time.textContent = until;
  } catch {
    tell("the server does not answer; your draft is in this page");
  }
  return undefined;
}

// Seconds in which the page was in view.
function looked() {
  const now = performance.now();
  if (work.since !== null) work.shown += now - work.since;
  work.since = document.visibilityState === "visible" ? now : null;
  return Math.round(work.shown / 1000);
}

function beginWork(data) {
  const form = byId("answer");
  work.data = data;
  if (!form) return;
  work.form = form;
  work.saved = JSON.stringify(begun());
  looked();
  addEventListener("visibilitychange", () => {
    looked();
    // Coming back to a page that was asleep: is it still theirs?
    if (document.visibilityState === "visible" && form.elements.fence && !work.lost) renew();
    if (document.visibilityState === "hidden") saveDraft();
  });
  form.addEventListener("input", changed);
  form.addEventListener("submit", () => {
    clearTimeout(work.draft);
    form.elements.seconds.value = String(looked());
  });
  showReason();
  if (form.elements.fence) work.beat = setInterval(renew, Math.max(500, data.lease_ms / 3));
}
