// Sends a chosen file before its form, shows how far it is, and lets the form wait for it.
// Without this script the file goes with the form.

const PERCENT = 100;

class Attachment {
  // A field of files: at most one is on its way, or was refused and not yet left out; its form waits for either.
  constructor(field) {
    this.field = field;
    this.input = field.querySelector('input[type="file"]');
    this.form = field.closest("form");
    this.request = null;
    this.waiting = null; // the button whose sending waits for the file
    this.input.addEventListener("change", () => this.input.files.length && this.send(this.input.files[0]));
    this.form.addEventListener("submit", (event) => this.hold(event));
    this.part("leave-out").addEventListener("click", () => this.leaveOut());
  }

  part(name) {
    return this.field.querySelector(`[data-${name}]`);
  }

  say(text) {
    this.part("state").textContent = text;
    this.part("state").hidden = !text;
  }

  get refused() {
    return !this.part("refused").hidden;
  }

  refuse(name, reason) {
    this.part("refused").textContent = `${name}: ${reason} ${this.field.dataset.stops}`;
    this.part("refused").hidden = false;
    this.part("leave-out").hidden = false;
    this.say("");
  }

  accept() {
    this.part("refused").textContent = "";
    this.part("refused").hidden = true;
    this.part("leave-out").hidden = true;
  }

  hold(event) {
    if (!this.request && !this.refused) return;
    event.preventDefault();
    if (this.request) {
      this.waiting = event.submitter ?? this.form.querySelector("button[type=submit], button:not([type])");
      this.say(this.field.dataset.waits);
    } else {
      this.part("refused").focus();
    }
  }

  leaveOut() {
    this.accept();
    this.say("");
    this.request?.abort();
    this.input.focus();
  }

  send(file) {
    this.accept();
    if (file.size > Number(this.field.dataset.most)) {
      this.input.value = "";
      this.refuse(file.name, this.field.dataset.tooLarge);
      return;
    }
    const progress = this.part("progress");
    const request = new XMLHttpRequest();
    request.open("POST", address(this.field));
    request.setRequestHeader("X-CSRF-Token", this.form.elements.namedItem("csrf").value);
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      progress.value = Math.round((event.loaded / event.total) * PERCENT);
      if (!this.waiting) this.say(`${this.field.dataset.working} ${file.name}: ${progress.value} %`);
    });
    let aborted = false;
    request.addEventListener("abort", () => (aborted = true));
    request.addEventListener("loadend", () => this.finish(file, request, aborted));
    progress.hidden = false;
    this.part("leave-out").hidden = false;
    this.say(`${this.field.dataset.working} ${file.name}`);
    this.input.disabled = true;
    this.request = request;
    request.send(file);
  }

  finish(file, request, aborted) {
    const waiting = this.waiting;
    this.request = this.waiting = null;
    this.input.disabled = false;
    this.input.value = "";
    this.part("progress").hidden = true;
    this.part("leave-out").hidden = true;
    if (aborted) return; // left out: the person goes on
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // not from the console: shown as a failure
    }
    if (request.status !== 200 || !answer.digest) {
      this.refuse(file.name, answer.problem || this.field.dataset.failed);
      if (waiting) this.part("refused").focus();
      return;
    }
    add(this.field, answer);
    this.say(`${answer.name}: ${this.field.dataset.done}`);
    if (waiting) this.form.requestSubmit(waiting);
  }
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

for (const field of document.querySelectorAll("[data-attach]")) new Attachment(field);
