// Keys of the inbox: j and k go through the rows, Enter opens, Space looks quickly, a takes, c acknowledges, u undoes,
// x chooses, / searches, n shows what is new. On a wide screen the quick look stands beside the list, and shows the row
// that has the focus or that the mouse rests on.

// What the server has chosen becomes the person's choice, which a refresh of the rows leaves as it is.
for (const box of document.querySelectorAll("#inbox input[type=checkbox]:checked")) {
  box.defaultChecked = false;
  box.checked = true;
}

const links = () => [...document.querySelectorAll("#inbox a[data-row]")];

function row() {
  return document.activeElement?.closest(".inbox-row");
}

function go(step) {
  const all = links();
  if (!all.length) return;
  const now = all.findIndex((link) => link.closest(".inbox-row") === row());
  const next = now < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, now + step));
  all[next].focus();
  all[next].closest(".inbox-row").scrollIntoView({ block: "nearest" });
}

const glance = document.getElementById("glance");
const isWide = matchMedia("(min-width: 100rem)");
const restsMs = 350;
let rests = 0; // timer of a row that was pointed at
let shown = ""; // path of the alert in the quick look

async function look(line) {
  const link = line?.querySelector("a[data-row]");
  if (!link || (shown === link.pathname && glance.isConnected)) return;
  shown = link.pathname;
  for (const one of document.querySelectorAll(".inbox-row.looked")) one.classList.remove("looked");
  line.classList.add("looked");
  await htmx.ajax("GET", `${link.pathname}/glance${link.search}`, { target: "#glance", swap: "innerHTML" });
}

function lookSoon(line) {
  clearTimeout(rests);
  if (isWide.matches && line) rests = setTimeout(look, restsMs, line);
}

async function lookNow() {
  const line = row();
  if (!line) return;
  clearTimeout(rests);
  await look(line);
  if (!isWide.matches) glance.togglePopover();
}

const list = document.getElementById("inbox-rows");
list.addEventListener("mouseover", (event) => lookSoon(event.target.closest(".inbox-row")));
list.addEventListener("mouseleave", () => clearTimeout(rests));
list.addEventListener("focusin", (event) => lookSoon(event.target.closest(".inbox-row")));
glance.addEventListener("toggle", (event) => event.newState === "open" && glance.focus());

const keys = {
  j: () => go(1),
  k: () => go(-1),
  " ": lookNow,
  a: () => row()?.querySelector("[data-take]")?.click(),
  c: () => row()?.querySelector("[data-acknowledge]")?.click(),
  u: () => row()?.querySelector("[data-undo]")?.click(),
  x: () => row()?.querySelector("input[type=checkbox]")?.click(),
  "/": () => document.getElementById("q").focus(),
  n: () => document.getElementById("show-new")?.click(),
  "?": () => document.getElementById("keys").togglePopover(),
};

function typing(target, key) {
  if (key === " " && target.closest("input, button, summary")) return true; // Space is theirs
  return target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target, event.key)) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
