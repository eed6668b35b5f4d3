// Sends a chosen file before its form, and shows how far it is; without this script the file goes with the form.

const PERCENT = 100;

function begin(field) {
  const input = field.querySelector('input[type="file"]');
  if (input) input.addEventListener("change", () => input.files.length && send(field, input));
}

function say(field, text) {
  const state = field.querySelector("[data-state]");
  state.textContent = text;
  state.hidden = !text;
}

function address(field) {
  const form = field.closest("form");
  const query = new URLSearchParams();
  for (const name of ["purpose", "case_reference"]) {
    const value = form.elements.namedItem(name);
    if (value && value.value) query.set(name, value.value);
  }
  for (const box of field.querySelectorAll('input[name="file_classes"]:checked')) query.append("file_classes", box.value);
  return `${field.dataset.upload}?${query}`;
}

function send(field, input) {
  const file = input.files[0];
  if (file.size > Number(field.dataset.most)) {
    input.value = "";
    say(field, field.dataset.tooLarge);
    return;
  }
  const progress = field.querySelector("[data-progress]");
  const request = new XMLHttpRequest();
  request.open("POST", address(field));
  request.setRequestHeader("X-CSRF-Token", field.closest("form").elements.namedItem("csrf").value);
  request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
  request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    progress.value = Math.round((event.loaded / event.total) * PERCENT);
    say(field, `${field.dataset.working} ${file.name}: ${progress.value} %`);
  });
  request.addEventListener("loadend", () => finish(field, input, request));
  progress.hidden = false;
  say(field, `${field.dataset.working} ${file.name}`);
  input.disabled = true;
  request.send(file);
}

function finish(field, input, request) {
  input.disabled = false;
  field.querySelector("[data-progress]").hidden = true;
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    // not from the console: shown as a failure
  }
  if (request.status !== 200 || !answer.digest) {
    say(field, answer.problem || field.dataset.failed);
    input.value = "";
    return;
  }
  add(field, answer);
  say(field, `${answer.name}: ${field.dataset.done}`);
  input.value = "";
}

function add(field, answer) {
  const list = field.querySelector("[data-attached]");
  const id = `evidence-${answer.digest.slice(0, 16)}`;
  if (document.getElementById(id)) return;
  const item = document.createElement("li");
  item.className = "choice";
  const box = Object.assign(document.createElement("input"), { type: "checkbox", id, name: "evidence", value: answer.digest, checked: true });
  const label = Object.assign(document.createElement("label"), { htmlFor: id, textContent: answer.name });
  item.append(box, label);
  list.append(item);
}

for (const field of document.querySelectorAll("[data-attach]")) begin(field);
