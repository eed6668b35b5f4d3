
// --- what the page shows

const words = dataOf("words");
const contract = dataOf("contract");
const given = dataOf("evidence");

/** What is shown as \u{…}: characters that repaint, reorder or hide words, or show nothing. */
const UNPRINTABLE = new RegExp(
  "(?!\\n)[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u2800\\u3164" +
    "\\uffa0\\u{e0000}-\\u{e00ff}\\u{e01f0}-\\u{e0fff}]",
  "gu",
);

const FIRST_TIME_S = -62135596800n; // the beginning of the year 1
const RESULTS = ["proved", "steps", "values", "content"];

/** What is checked now, and by whose keys: arguments of `examine`. A check that runs keeps those that it began with. */
const chosen = {
  readFiles: given.files === null ? null : givenFiles,
  vouchers: {
    chosen: null,
    embedded: given.directory === null ? null : fromBase64(given.directory, DIRECTORY),
    anchors: null,
  },
};

let checks = 0;
let running = 0;

function givenFiles() {
  return filesOf(Object.entries(given.files).map(([name, content]) => [name, fromBase64(content, name)]));
}

function dataOf(id) {
  return JSON.parse(byId(id).textContent);
}

function byId(id) {
  return document.getElementById(id);
}

function printable(text) {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0).toString(16).padStart(4, "0")}}`);
}

/** An element with elements and texts; a text becomes a text node, whatever is in it. */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((child) => (typeof child === "string" ? printable(child) : child)));
  return made;
}

/** Text of the evidence, apart from the text around it whatever its direction is. */
function foreign(text) {
  return element("bdi", { dir: "auto" }, text);
}

/** A sentence of the page as nodes, its `{placeholders}` filled in. */
function sentence(key, values = {}) {
  return words[key].split(/(\{[a-z]+\})/).map((part) => {
    const name = part.slice(1, -1);
    if (!part.startsWith("{") || !(name in values)) return part;
    return foreign(name === "time" ? moment(values[name]) : String(values[name]));
  });
}

/** A time in milliseconds since 1970. */
function moment(time) {
  return `${new Date(time).toISOString().replace("T", " ").replace(".000", "").replace("Z", "")} UTC`;
}

function show(id, ...children) {
  byId(id).replaceChildren(...children);
  byId(`${id}-part`).hidden = children.length === 0;
}

/** `kind`: good, partly, bad or plain; `details`: lists of nodes. */
function showVerdict(kind, title, details) {
  const verdict = byId("verdict");
  verdict.className = `verdict ${kind}`;
  verdict.replaceChildren(
    element("p", { class: "verdict-title" }, ...title),
    ...(details.length === 1 ? [element("p", {}, ...details[0])] : []),
    ...(details.length > 1 ? [element("ul", {}, ...details.map((detail) => element("li", {}, ...detail)))] : []),
  );
}

/** Checks what is chosen now; an earlier check that is still running shows nothing any more. */
async function check() {
  checks += 1;
  const number = checks;
  for (const id of RESULTS) show(id);
  if (chosen.readFiles === null) {
    showVerdict("plain", sentence("waiting"), []);
    return;
  }
  showVerdict("plain", sentence("checking"), []);
  const examination = await examine(chosen.readFiles, chosen.vouchers, contract);
  if (number !== checks) return;
  showSteps(examination);
  const { evidence, steps } = examination;
  if (evidence === null) {
    const { number: failed } = steps.at(-1);
    const why = sentence("not_verified", { number: failed, step: words.steps[STEPS[failed]][0] });
    showVerdict("bad", sentence("not_verified_title"), [why]);
    return;
  }
  showProved(evidence);
  showValues(evidence);
  showContent(evidence);
  const exceptions = exceptionsOf(evidence);
  if (exceptions.length === 0) showVerdict("good", sentence("verified"), [sentence("verified_all")]);
  else showVerdict("partly", sentence("verified_except"), exceptions);
}

/** Whose word the keys are, where the reader has named nobody. */
function whose({ source }) {
  return sentence(source === "bundle" && chosen.readFiles !== givenFiles ? "whose_bundle" : "whose_page");
}

/** What a verified bundle leaves open, a sentence each. */
function exceptionsOf({ trust, alert, events, proofs, isStamped, isWitnessed }) {
  const exceptions = [];
  if (!trust.isVouched) exceptions.push(whose(trust));
  if (alert.receivedAt === null) exceptions.push(sentence("no_receipt", { node: alert.feed.recipient }));
  exceptions.push(...unreceived(proofs.slice(1)).map(([key, values]) => sentence(key, values)));
  if ([alert, ...events].some(({ unchecked }) => unchecked > 0)) exceptions.push(sentence("second"));
  if (isStamped) exceptions.push(sentence("stamped"));
  if (isWitnessed) exceptions.push(sentence("witnessed"));
  return exceptions;
}

function showSteps({ steps, evidence }) {
  const lines = steps.map(({ number, status, facts }) => stepLine(number, status, facts));
  if (evidence !== null) lines.push(stepLine(11, "left_out", [["shown_instead"]]));
  show("steps", ...lines);
}

function stepLine(number, status, facts) {
  const [title, meaning] = words.steps[STEPS[number]];
  const isMeant = status === "passed" && !facts.some(([key]) => key === "self_signed");
  const shade = { class: status === "failed" ? "why" : "fact" };
  const tag = element("span", { class: `tag ${status}` }, words[status]);
  return element(
    "li", { class: "step" },
    element("p", { class: "step-head" }, tag, " ", element("strong", {}, `${number}. ${title}`)),
    ...(isMeant ? [element("p", {}, meaning)] : []),
    ...facts.map(([key, values]) => element("p", shade, ...sentence(key, values))),
  );
}

function showProved({ proofs, findings }) {
  const heads = ["step", "said_by", "received_by", "made_of_it"].map((key) => words[key]);
  const cell = (at, ...children) => element("td", { "data-label": heads[at] }, ...children);
  const rows = proofs.map((proof) => element(
    "tr", {},
    cell(
      0, element("strong", {}, titleOf(proof.entry)), element("br", {}), element("code", {}, proof.entry.name),
      ...endOf(findings.get(proof.entry)),
    ),
    cell(1, ...sentence("said", { node: proof.by, time: proof.recordedAt })),
    cell(2, ...receiptOf(proof)),
    cell(3, ...madeOf(proof)),
  ));
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  show("proved", element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function titleOf({ kind }) {
  return words.kinds[kind] ?? kind;
}

function endOf(end) {
  return end === undefined ? [] : [element("p", { class: "warn" }, ...sentence(`finding_${end}`))];
}

function receiptOf({ to, receivedAt }) {
  if (receivedAt === null) return [element("span", { class: "warn" }, ...sentence("unreceived_cell", { node: to }))];
  return sentence("received_cell", { node: to, time: receivedAt });
}

function madeOf({ made }) {
  if (made === null) return sentence("nothing_made");
  const { body } = made;
  const [reason, decided] = [valueAt(body, "reason", ""), valueAt(body, "decided_at", null)];
  const outcome = words.outcomes[valueAt(body, "outcome", 0n)] ?? String(valueAt(body, "outcome", 0n));
  return [
    element("strong", {}, outcome),
    ...(reason === "" ? [] : [" (", foreign(reason), ")"]),
    ...(decided === null ? [] : [element("br", {}), timeOf(decided)]),
    element("br", {}), element("code", {}, made.name),
  ];
}

/** What the reader compares by another way than the one by which this page came. */
function showValues({ trust, alert }) {
  const row = (title, ...values) => element(
    "div", {}, element("dt", {}, title), ...values.map((value) => element("dd", {}, element("code", {}, value))),
  );
  const { federation, version, digest, authorities } = trust;
  const keys = [...authorities.values()].map(({ verifier }) => verifier.vkey);
  show(
    "values", ...(trust.isVouched ? [] : [element("p", { class: "warn" }, ...whose(trust))]),
    element(
      "dl", {}, row(words.federation_name, federation), row(words.version, String(version)), row(words.digest, digest),
      row(words.directory_keys, ...keys), row(words.log_key, alert.logKey),
      ...(alert.receiptsKey === undefined ? [] : [row(words.receipts_key, alert.receiptsKey)]),
    ),
  );
}

function showContent({ alert, events }) {
  show("content", ...[alert, ...events].map((entry) => element(
    "section", { class: "entry" },
    element("h3", {}, titleOf(entry), " ", element("code", {}, entry.name)),
    element("p", { class: "fact" }, ...sentence("entry_place", { feed: entry.feed.line, index: entry.index })),
    fieldsList(entry.event),
  )));
}

/** A decoded message as a list of names and values, as far as the contract's table goes. */
function fieldsList(message) {
  const rows = [];
  for (const field of contract.messages[message.type].filter(({ name }) => message.values.has(name))) {
    const value = message.values.get(field.name);
    for (const [at, each] of (field.repeated === true ? value : [value]).entries()) {
      const name = field.repeated === true ? `${field.name}[${at}]` : field.name;
      const isNested = field.type === "message" && field.of !== "Timestamp";
      const term = element("dt", {}, element("code", {}, name));
      rows.push(element("div", isNested ? { class: "nested" } : {}, term, element("dd", {}, valueNode(field, each))));
    }
  }
  if (message.unknown > 0) {
    const unknown = element("dd", { class: "warn" }, ...sentence("unknown_fields", { number: message.unknown }));
    rows.push(element("div", {}, element("dt", {}, "…"), unknown));
  }
  return element("dl", { class: "fields" }, ...rows);
}

function valueNode(field, value) {
  switch (field.type) {
    case "message": return field.of === "Timestamp" ? timeOf(value) : fieldsList(value);
    case "enum": return enumValue(contract.enums[field.of][value], value);
    case "bytes": return element("code", {}, toHex(value));
    default: return foreign(String(value));
  }
}

function enumValue(known, number) {
  if (known === undefined) return foreign(String(number));
  return element("span", {}, `${known[1]} `, element("code", {}, known[0]));
}

/** A Timestamp; one that no calendar has is shown as its seconds. */
function timeOf(timestamp) {
  const seconds = valueAt(timestamp, "seconds", 0n);
  const isDate = seconds >= FIRST_TIME_S && seconds <= MAX_UNIX_S;
  return foreign(isDate ? moment(Number(milliseconds(timestamp))) : `${seconds} s`);
}

async function bytesOf(file) {
  if (file.size > MAX_ZIP_BYTES) refuse("too_large", { what: file.name });
  return new Uint8Array(await file.arrayBuffer());
}

/** The reader has chosen something: it is checked, and the verdict is shown. */
function checkAgain() {
  byId("verdict").scrollIntoView();
  return start(async () => {
    const lines = byId("anchors").value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
    const threshold = byId("threshold").value.trim();
    const [directory] = byId("directory").files;
    const [bundle] = byId("bundle").files;
    chosen.vouchers = {
      ...chosen.vouchers,
      chosen: directory === undefined ? null : await bytesOf(directory),
      anchors: lines.length === 0 ? null : { lines, threshold: threshold === "" ? null : Number(threshold) },
    };
    if (bundle !== undefined) chosen.readFiles = async () => unzipped(await bytesOf(bundle));
    await check();
  });
}

/** Does what shows something; if it fails, nothing that was shown stands. */
async function start(work) {
  running += 1;
  byId("verdict").setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    for (const id of RESULTS) show(id);
    showVerdict("bad", sentence("not_verified_title"), [sentence("unreadable", { detail: String(error) })]);
  } finally {
    running -= 1;
    if (running === 0) byId("verdict").setAttribute("aria-busy", "false");
  }
}

start(async () => {
  if (!(await canVerify())) {
    showVerdict("bad", sentence("unable_title"), [sentence("unable")]);
    return;
  }
  for (const id of ["bundle", "directory"]) byId(id).addEventListener("change", checkAgain);
  byId("again").addEventListener("click", checkAgain);
  byId("choices").hidden = false;
  await check();
});
