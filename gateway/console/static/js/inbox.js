// Keys of the inbox: j and k go through the rows, Enter opens, a takes, c acknowledges, u undoes, x chooses, / searches,
// n shows what is new.

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

const keys = {
  j: () => go(1),
  k: () => go(-1),
  a: () => row()?.querySelector("[data-take]")?.click(),
  c: () => row()?.querySelector("[data-acknowledge]")?.click(),
  u: () => row()?.querySelector("[data-undo]")?.click(),
  x: () => row()?.querySelector("input[type=checkbox]")?.click(),
  "/": () => document.getElementById("q").focus(),
  n: () => document.getElementById("show-new")?.click(),
  "?": () => document.getElementById("keys").togglePopover(),
};

function typing(target) {
  return target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
