// Small helps that pages work without: focus on problems, times that go on, one sending per form, ended sessions.

const minute = 60_000;

function focusProblem() {
  document.querySelector("[data-focus]")?.focus();
}

function fromNow(at, format) {
  const seconds = (new Date(at) - Date.now()) / 1000;
  const spans = [["day", 86_400], ["hour", 3_600], ["minute", 60]];
  const [unit, size] = spans.find(([, size]) => Math.abs(seconds) >= size * 1.2) ?? ["minute", 60];
  return format.format(Math.trunc(seconds / size), unit);
}

function renewTimes() {
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
  for (const time of document.querySelectorAll("time[data-from-now]")) {
    const text = fromNow(time.dateTime, format);
    if (time.textContent !== text) time.textContent = text;
  }
}

// A second click sends nothing: the form's request id makes a repetition harmless, this spares the wait.
function sendOnce(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.dataset.approval) return;
  if (event.submitter?.formTarget === "_blank") return; // this page stays, and may open more
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
}

function hasWritten(part) {
  const fields = [...part.querySelectorAll("textarea, input:not([type=hidden], [type=checkbox], [type=radio])")];
  return fields.some((field) => field.value !== field.defaultValue);
}

function sessionEnded() {
  const text = document.getElementById("session-ended");
  const main = document.getElementById("main");
  if (text && !main.querySelector(".session-ended")) {
    const notice = text.content.firstElementChild.cloneNode(true);
    notice.classList.add("session-ended");
    if (hasWritten(main)) { // following the link here would lose it
      Object.assign(notice.querySelector("a"), { href: "/sign-in", target: "_blank", rel: "noopener" });
      notice.querySelector("[data-written]").hidden = false;
    }
    main.prepend(notice);
  }
}

// What is written in a form goes to the gateway every few seconds, so that leaving the page loses nothing.
const draftEvery = 3_000;
const mostKeptAlive = 60_000; // browsers take 64 KiB
const unkept = new Map(); // forms with something that wasn't kept yet, and the timer of each

async function keepDraft(form) {
  clearTimeout(unkept.get(form));
  unkept.delete(form);
  const fields = new FormData(form);
  for (const [name, value] of [...fields]) if (value instanceof File) fields.delete(name);
  fields.set("draft_form", form.getAttribute("action"));
  const size = [...fields].reduce((sum, [name, value]) => sum + 150 + name.length + 3 * value.length, 0);
  const keepalive = size < mostKeptAlive; // goes on when the page is left meanwhile
  const sending = { method: "POST", body: fields, headers: { "x-draft": "script" }, keepalive };
  const answer = await fetch("/drafts", sending).catch(() => null);
  const kept = form.querySelector("[data-draft-kept]");
  if (kept) kept.hidden = !answer?.ok;
}

function noteWriting(event) {
  const form = event.target.form;
  if (form?.dataset.draft === undefined || unkept.has(form)) return;
  unkept.set(form, setTimeout(keepDraft, draftEvery, form));
}

function keepAllDrafts() {
  for (const form of [...unkept.keys()]) keepDraft(form);
}

function sentAway(event) { // the gateway keeps what a form that comes back has
  clearTimeout(unkept.get(event.target));
  unkept.delete(event.target);
}

document.addEventListener("input", noteWriting);
document.addEventListener("submit", sentAway);
addEventListener("pagehide", keepAllDrafts);
document.addEventListener("submit", sendOnce);
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});
document.addEventListener("ended", sessionEnded);
document.addEventListener("htmx:after:swap", renewTimes);
focusProblem();
setInterval(renewTimes, minute / 2);
