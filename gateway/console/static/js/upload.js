// Sends chosen files before their form, one after another, and lets the form wait for all: each has a row that shows how
// far it is, pauses, goes on by itself after the line was broken, or is left out. Without this script they go with the form.

import { Interrupted, PartialUpload, Refused } from "./partial_upload.js";

const PERCENT = 100;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const MOST_PREVIEWED = 32 * 1024 * 1024; // bytes of a picture that is decoded for its preview

class Attachment {
  // A field of files and the rows of those that the gateway doesn't have yet.
  constructor(field) {
    this.field = field;
    this.input = field.querySelector('input[type="file"]');
    this.form = field.closest("form");
    this.rows = [];
    this.sending = null; // the row whose file is on its way
    this.waiting = null; // the button whose sending waits for the files
    this.previews = Promise.resolve(); // one after another
    this.input.addEventListener("change", () => this.choose());
    this.form.addEventListener("submit", (event) => this.hold(event));
    addEventListener("online", () => this.rows.filter((row) => row.state === "broken").forEach((row) => row.goOn()));
  }

  part(name) {
    return this.field.querySelector(`[data-${name}]`);
  }

  say(text) {
    this.part("state").textContent = text;
    this.part("state").hidden = !text;
  }

  choose() {
    for (const file of this.input.files) {
      this.rows.find((row) => row.state === "refused" && row.file.name === file.name)?.remove(); // chosen again
      const row = new Row(this, file);
      this.rows.push(row);
      this.previews = this.previews.then(() => preview(row.part("preview"), file));
    }
    this.input.value = ""; // they don't go with the form as well
    this.next();
  }

  // Sends the next file; a form that waits goes on after the last.
  async next() {
    if (this.sending) return;
    this.sending = this.rows.find((row) => row.state === "waiting") ?? null;
    if (this.sending) {
      await this.sending.send();
      this.sending = null;
      this.next();
    } else if (!this.rows.length && this.waiting) {
      const button = this.waiting;
      this.waiting = null;
      this.form.requestSubmit(button);
    }
  }

  hold(event) {
    if (!this.rows.length) return;
    event.preventDefault();
    const refused = this.rows.find((row) => row.state === "refused");
    if (refused) return refused.ask();
    this.waiting = event.submitter ?? this.form.querySelector("button[type=submit], button:not([type])");
    this.say(this.field.dataset.waits);
    this.rows.find((row) => row.state === "paused")?.ask();
  }

  // What the files tell of, and for which purpose and case: of the form as it is by now.
  query() {
    const query = new URLSearchParams();
    for (const name of ["purpose", "case_reference"]) {
      const value = this.form.elements.namedItem(name)?.value;
      if (value) query.set(name, value);
    }
    for (const box of this.field.querySelectorAll('input[name="file_classes"]:checked')) query.append(box.name, box.value);
    return query;
  }
}

class Row {
  // One file. Its state is waiting, sending, paused, broken (it goes on by itself), or refused (it stops the form).
  constructor(attachment, file) {
    this.attachment = attachment;
    this.file = file;
    this.words = attachment.field.dataset;
    this.wait = FIRST_WAIT_MS;
    this.upload = new PartialUpload(file, this.words.upload, attachment.form.elements.namedItem("csrf").value, (sent) => this.report(sent));
    this.element = attachment.part("row").content.firstElementChild.cloneNode(true);
    this.part("name").textContent = file.name;
    this.part("size").textContent = sizeText(file.size);
    this.part("progress").setAttribute("aria-label", `${this.words.working} ${file.name}`);
    for (const [name, act] of [["pause", () => this.pause()], ["go-on", () => this.goOn()], ["leave-out", () => this.leaveOut()]]) {
      this.part(name).addEventListener("click", act);
      this.part(name).setAttribute("aria-describedby", (this.part("name").id ||= `file-${nextId++}`));
    }
    attachment.part("rows").append(this.element);
    if (file.size > Number(this.words.most)) this.refuse(this.words.tooLarge);
    else this.to("waiting", this.words.waiting);
  }

  part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }

  to(state, text) {
    const focused = this.element.contains(document.activeElement);
    this.state = state;
    this.part("how-far").textContent = text;
    this.part("progress").hidden = state === "refused";
    this.part("refused").hidden = state !== "refused";
    this.part("pause").hidden = state !== "waiting" && state !== "sending";
    this.part("go-on").hidden = !this.part("pause").hidden || this.isFinal;
    this.part("go-on").textContent = state === "paused" ? this.words.goOn : this.words.again;
    if (focused && document.activeElement.closest("[hidden]")) this.element.querySelector("button:not([hidden])").focus();
  }

  report(sent) {
    const percent = Math.floor((Math.min(sent, this.file.size) / Math.max(this.file.size, 1)) * PERCENT);
    this.part("progress").value = percent;
    if (this.state === "sending") this.part("how-far").textContent = `${percent} %`;
  }

  async send() {
    this.to("sending", this.words.working);
    if (!this.attachment.waiting) this.attachment.say(`${this.words.working} ${this.file.name}`);
    try {
      while (this.state === "sending") {
        const answer = await this.upload.step(this.attachment.query());
        if (answer.digest) return this.finish(answer);
        this.wait = FIRST_WAIT_MS;
      }
    } catch (error) {
      if (this.state === "gone") return;
      if (error instanceof Interrupted) this.interrupt(error.message);
      else if (error instanceof Refused) this.refuse(error.message);
      else throw error;
    }
  }

  interrupt(problem) {
    if (this.state === "paused") return;
    this.to("broken", problem || this.words.broken);
    if (this.wait === FIRST_WAIT_MS) this.attachment.say(`${this.file.name}: ${problem || this.words.broken}`);
    this.timer = setTimeout(() => this.goOn(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS);
  }

  refuse(problem) {
    this.isFinal = Boolean(problem); // else another attempt may help
    this.part("reason").textContent = `${this.file.name}: ${problem || this.words.failed}`;
    this.part("final").hidden = !this.isFinal;
    this.to("refused", "");
    this.attachment.say("");
    if (this.attachment.waiting) this.ask();
    this.attachment.waiting = null;
  }

  pause() {
    this.to("paused", this.words.paused); // the part that is on its way arrives
  }

  goOn() {
    clearTimeout(this.timer);
    const isOnItsWay = this.attachment.sending === this; // it was paused during a part
    this.to(isOnItsWay ? "sending" : "waiting", isOnItsWay ? this.words.working : this.words.waiting);
    this.attachment.next();
  }

  // Takes the person to what stops the form.
  ask() {
    this.part(this.state === "refused" ? "refused" : "go-on").focus();
  }

  leaveOut() {
    this.state = "gone";
    clearTimeout(this.timer);
    this.upload.leave();
    this.remove();
    this.attachment.say("");
    this.attachment.input.focus();
    this.attachment.next();
  }

  remove() {
    this.element.remove();
    this.attachment.rows = this.attachment.rows.filter((row) => row !== this);
  }

  finish(answer) {
    const focused = this.element.contains(document.activeElement);
    this.remove();
    const box = attach(this.attachment, this.part("preview"), this.file, answer);
    if (focused) box.focus();
    if (!this.attachment.waiting) this.attachment.say(`${answer.name}: ${this.words.done}`);
    box.dispatchEvent(new Event("input", { bubbles: true })); // the draft has it, too
  }
}

let nextId = 1;

// The file's box among those that the form names; one that is there already is ticked again.
function attach(attachment, canvas, file, answer) {
  const known = attachment.field.querySelector(`input[name="evidence"][value="${CSS.escape(answer.digest)}"]`);
  if (known) return Object.assign(known, { checked: true });
  const item = attachment.part("attached-row").content.firstElementChild.cloneNode(true);
  const box = item.querySelector("input");
  box.value = answer.digest;
  box.id = item.querySelector("label").htmlFor = `evidence-${answer.digest.slice(0, 16)}`;
  item.querySelector("[data-name]").textContent = answer.name;
  item.querySelector("[data-size]").textContent = sizeText(file.size);
  item.querySelector("[data-remark]").textContent = answer.remark;
  item.querySelector("[data-remark]").hidden = !answer.remark;
  item.querySelector("label").before(canvas);
  attachment.part("attached").append(item);
  return box;
}

// Draws a picture small; one that the browser can't read has none. Nothing of it is fetched: the page's policy holds.
async function preview(canvas, file) {
  if (!file.type.startsWith("image/") || file.size > MOST_PREVIEWED) return;
  const picture = await createImageBitmap(file, { resizeHeight: canvas.height, resizeQuality: "medium" }).catch(() => null);
  if (!picture) return;
  const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height, 1);
  const [width, height] = [picture.width * scale, picture.height * scale];
  canvas.getContext("2d").drawImage(picture, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  picture.close();
  canvas.hidden = false;
}

function sizeText(bytes) {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), 3);
  const size = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 }).format(bytes / 1024 ** power);
  return `${size} ${["B", "KiB", "MiB", "GiB"][power]}`;
}

for (const field of document.querySelectorAll("[data-attach]")) new Attachment(field);
