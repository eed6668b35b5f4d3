// Keeps the list of what a form still lacks true while somebody fills it in. Without this script it is as it was sent.

const lists = document.querySelectorAll("[data-missing]");

function isFilled(form, names) {
  return names.split(" ").some((name) => {
    const fields = [...form.elements].filter((field) => field.name === name);
    return fields.some((field) => (field.type === "checkbox" || field.type === "radio" ? field.checked : field.value.trim()));
  });
}

function renew(list) {
  const form = list.closest("form");
  const items = [...list.querySelectorAll("[data-needs]")];
  for (const item of items) item.hidden = isFilled(form, item.dataset.needs);
  const left = items.filter((item) => !item.hidden).length;
  list.querySelector("[data-nothing]").hidden = left > 0;
}

for (const list of lists) {
  list.closest("form").addEventListener("input", () => renew(list));
  renew(list);
}
