// Sends one file to the console in parts, so that a line that breaks costs a part and no file (pages/uploads.py).

const FIRST_PART = 256 * 1024;
const LEAST_PART = 64 * 1024;
const MOST_PART = 1024 * 1024; // the console takes no more
const QUICK_MS = 1_000; // the next part is twice as large
const SLOW_MS = 8_000; // the next part is half as large
const STALLED_MS = 30_000; // without a byte or an answer: the line is gone, though nobody said so
const BEGINNINGS = 3; // of one file: a console that was started anew doesn't know it any more

const PASSING = new Set([0, 429, 502, 503, 504]);

export class Interrupted extends Error {} // by the line, or by what passes at the console; `message` says what, if known
export class Refused extends Error {} // another attempt won't help where there is a message

export class PartialUpload {
  // `report` hears how many bytes have left.
  constructor(file, address, token, report) {
    Object.assign(this, { file, address, csrf: token, report });
    this.part = FIRST_PART;
    this.beginnings = 0;
    this.forget();
  }

  forget() {
    this.token = "";
    this.offset = 0;
    this.unsure = false; // how much has arrived
  }

  // Begins, asks how much has arrived, or sends a part. Answers with the file's digest once the gateway has it.
  async step(query) {
    if (!this.token) return this.begin();
    if (this.unsure) return this.locate();
    return this.sendPart(query);
  }

  async begin() {
    this.beginnings += 1;
    const { name, type, size } = this.file;
    const headers = { "X-File-Name": encodeURIComponent(name), "X-File-Type": type || "application/octet-stream", "X-File-Size": size };
    const answer = await this.ask("POST", this.address, { headers });
    this.token = answer.token ?? "";
    return answer;
  }

  async locate() {
    const answer = await this.ask("GET", this.place());
    this.unsure = false;
    return this.goOnAt(answer);
  }

  async sendPart(query) {
    const blob = this.file.slice(this.offset, this.offset + this.part);
    const body = await blob.arrayBuffer().catch(() => {
      throw new Refused(); // it was changed or taken away
    });
    const began = performance.now();
    const answer = await this.ask("POST", `${this.place()}?offset=${this.offset}&${query}`, { body });
    const took = performance.now() - began;
    if (took < QUICK_MS) this.part = Math.min(2 * this.part, MOST_PART);
    if (took > SLOW_MS) this.part = Math.max(this.part / 2, LEAST_PART);
    return this.goOnAt(answer);
  }

  goOnAt(answer) {
    this.offset = answer.offset ?? this.offset;
    this.report(this.offset);
    return answer;
  }

  // Ends what is on its way, and lets the console forget what it has.
  leave() {
    this.request?.abort();
    if (this.token) this.exchange("DELETE", this.place());
  }

  place() {
    return this.address.replace("/upload", `/${this.token}/upload`);
  }

  async ask(method, address, sent) {
    const { status, answer } = await this.exchange(method, address, sent);
    const isKnown = ["token", "offset", "digest"].some((name) => name in answer);
    if (isKnown && (status === 200 || status === 409)) return answer; // 409: another part fits, at this offset
    if (PASSING.has(status)) {
      this.unsure = true;
      throw new Interrupted(answer.problem ?? "");
    }
    const again = status === 404 && this.token && this.beginnings < BEGINNINGS;
    this.forget();
    if (!again) throw new Refused(answer.problem ?? "");
    return answer;
  }

  exchange(method, address, { headers = {}, body = null } = {}) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      let timer = 0;
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => request.abort(), STALLED_MS);
      };
      request.open(method, address);
      for (const [name, value] of Object.entries({ "X-CSRF-Token": this.csrf, ...headers })) request.setRequestHeader(name, value);
      if (body) request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.addEventListener("progress", (event) => {
        wait();
        this.report(this.offset + event.loaded);
      });
      request.addEventListener("loadend", () => {
        clearTimeout(timer);
        this.request = null;
        resolve({ status: request.status, answer: read(request) });
      });
      wait();
      if (method !== "DELETE") this.request = request;
      request.send(body);
    });
  }
}

function read(request) {
  try {
    return JSON.parse(request.responseText) ?? {};
  } catch {
    return {}; // no answer, or a page
  }
}
