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

document.addEventListener("submit", sendOnce);
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});
document.addEventListener("ended", sessionEnded);
document.addEventListener("htmx:after:swap", renewTimes);
focusProblem();
setInterval(renewTimes, minute / 2);
