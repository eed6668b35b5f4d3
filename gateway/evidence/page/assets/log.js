
// --- the signed log: C2SP signed-note, tlog-checkpoint, tlog-cosignature (receipts) and tlog-proof

const MAX_NOTE_BYTES = 1 << 20;
const MAX_SIGNATURES = 64;
const MAX_CHECKPOINT_BYTES = 4096;
const MAX_PROOF_BYTES = 1 << 18;
const MAX_EXTRA_BYTES = 1 << 16;
const MAX_HASHES = 63;
const MAX_NUMBER = 2n ** 63n - 1n;
const ML_DSA_KEY_BYTES = 1312;
const ML_DSA_SIGNATURE_BYTES = 2420;
const TIMESTAMP_BYTES = 8;

/** Signature types of keys. */
const ED25519 = 0x01;
const COSIGNATURE = 0x04;
const ML_DSA_44 = 0x06;

const KEPT = ["lists", "records", "audit", "licence-register", "profile-register"];
const CHANNELS = ["alerts-a", "alerts-b", "alerts", "watchlist", "licences", "risk-profiles", ...KEPT];
const MAX_ORIGIN_CHARS = 340;
const NODE = /^[a-z][a-z0-9-]{0,31}$/;
const FEDERATION = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const LATER_EPOCH = /^([2-9]|[1-9][0-9]{1,3})$/;

/** Not empty, without a plus sign, control characters and spaces of any script. */
const KEY_NAME = /^[^\x00-\x20+\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/u;

/** A named public key: `{name, type, key, id, vkey}`; the id is hexadecimal, SHA-256(name ‖ 0x0A ‖ type ‖ key)[:4]. */
async function verifierOf(name, type, key) {
  const typed = joined(Uint8Array.of(type), key);
  const id = toHex((await sha256(utf8.encode(`${name}\n`), typed)).subarray(0, 4));
  return { name, type, key, id, vkey: `${name}+${id}+${toBase64(typed)}` };
}

/** The Ed25519 key of type 0x01 that a verifier key names: `<name>+<key id>+<base64(type ‖ key)>`. */
async function parseVkey(text, what) {
  const [name, , ...rest] = text.split("+");
  const typed = fromBase64(rest.join("+"), what); // base64 has plus signs too
  if (!KEY_NAME.test(name) || typed[0] !== ED25519) refuseForm(what, "vkey");
  requireStrongKey(typed.subarray(1), what);
  const verifier = await verifierOf(name, ED25519, typed.slice(1));
  if (verifier.vkey !== text) refuseForm(what, "vkey");
  return verifier;
}

/** Parses a note: `{text: bytes, lines: [{name, id, signature}]}`. Nothing is verified yet. */
function parseNote(bytes, what) {
  if (bytes.length > MAX_NOTE_BYTES) refuse("too_large", { what });
  const note = toText(bytes, what);
  const end = note.lastIndexOf("\n\n") + 1;
  const text = note.slice(0, end);
  if (end === 0 || /[\x00-\x09\x0b-\x1f]/.test(text)) refuseForm(what, "text");
  const lines = note.slice(end + 1).split("\n");
  if (lines.pop() !== "" || lines.length === 0) refuseForm(what, "signatures");
  if (lines.length > MAX_SIGNATURES) refuse("too_large", { what });
  return { text: utf8.encode(text), lines: lines.map((line) => parseSignatureLine(line, what)) };
}

function parseSignatureLine(line, what) {
  const [dash, name, ...rest] = line.split(" ");
  if (dash !== "—" || name === undefined || !KEY_NAME.test(name)) refuseForm(what, "signature");
  const data = fromBase64(rest.join(" "), what);
  if (data.length <= 4) refuseForm(what, "signature");
  return { name, id: toHex(data.subarray(0, 4)), signature: data.slice(4) };
}

function isBy(verifier, line) {
  return line.name === verifier.name && line.id === verifier.id;
}

/** Verifies one line of a note; returns the time that a cosignature states, in seconds since 1970, else null. */
async function verifyLine(text, line, verifier) {
  const wrong = () => refuse("signature", { name: verifier.name });
  if (verifier.type === ED25519) {
    if (line.signature.length !== SIGNATURE_BYTES) wrong();
    if (!(await isSignature(verifier.key, line.signature, text))) wrong();
    return null;
  }
  const time = toBigInt(line.signature.subarray(0, TIMESTAMP_BYTES));
  const signature = line.signature.subarray(TIMESTAMP_BYTES);
  if (signature.length !== SIGNATURE_BYTES || time > MAX_NUMBER) wrong();
  const message = joined(utf8.encode(`cosignature/v1\ntime ${time}\n`), text);
  if (!(await isSignature(verifier.key, signature, message))) wrong();
  return time;
}

/** Verifies all lines of known keys, of which `needed` must have signed; returns `[{verifier, time}]`. */
async function openNote(note, verifiers, needed) {
  const signatures = [];
  for (const line of note.lines) {
    for (const verifier of verifiers.filter((known) => isBy(known, line))) {
      signatures.push({ verifier, time: await verifyLine(note.text, line, verifier) });
    }
  }
  const signed = new Set(signatures.map(({ verifier }) => toHex(verifier.key))).size;
  if (signed < needed) refuse("threshold", { number: signed, needed });
  return signatures;
}

function parseDecimal(text, maximum, what) {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text) || BigInt(text) > maximum) refuseForm(what, "number");
  return BigInt(text);
}

function parseHash(text, what) {
  const hash = fromBase64(text, what);
  if (hash.length !== HASH_BYTES) refuseForm(what, "hash");
  return hash;
}

/** Parses a note's text as a tree head: `{origin, size, root}`. */
async function parseCheckpoint(text, what) {
  if (text.length > MAX_CHECKPOINT_BYTES) refuse("too_large", { what });
  const lines = toText(text, what).split("\n");
  if (lines.pop() !== "" || lines.length < 3 || lines.includes("")) refuseForm(what, "checkpoint");
  const [origin, number, root] = lines;
  const checkpoint = { origin, size: parseDecimal(number, MAX_NUMBER, what), root: parseHash(root, what), lines };
  if (checkpoint.size === 0n && !isEqual(checkpoint.root, await sha256())) refuseForm(what, "checkpoint");
  return checkpoint;
}

/** Parses a feed's name, `<federation>/<publisher>/<recipient>/<channel>`; a later epoch ends in `.<number>`. */
function parseFeed(line, what) {
  const [federation, publisher, recipient, last, ...more] = line.split("/");
  const [channel, epoch, ...rest] = (last ?? "").split(".");
  const isFeed =
    line.length <= MAX_ORIGIN_CHARS && more.length === 0 && rest.length === 0 &&
    FEDERATION.test(federation) && NODE.test(publisher) && NODE.test(recipient) && CHANNELS.includes(channel) &&
    (epoch === undefined || LATER_EPOCH.test(epoch)) &&
    (publisher === recipient) === KEPT.includes(channel);
  if (!isFeed) refuseForm(what, "origin");
  return { line, federation, publisher, recipient, reverse: `${federation}/${recipient}/${publisher}/${last}` };
}

/** Parses a proof: `{index, hashes, extra, note, checkpoint, feed}`. */
async function parseProof(bytes, what) {
  if (bytes.length > MAX_PROOF_BYTES) refuse("too_large", { what });
  const proof = toText(bytes, what);
  const end = proof.indexOf("\n\n");
  const [first, ...lines] = proof.slice(0, Math.max(end, 0)).split("\n");
  if (first !== "c2sp.org/tlog-proof@v1") refuseForm(what, "first line");
  const extra = lines[0]?.startsWith("extra ") ? fromBase64(lines.shift().slice("extra ".length), what) : null;
  if (extra !== null && (extra.length === 0 || extra.length > MAX_EXTRA_BYTES)) refuseForm(what, "extra");
  if (!lines[0]?.startsWith("index ")) refuseForm(what, "index");
  const index = parseDecimal(lines.shift().slice("index ".length), MAX_NUMBER - 1n, what);
  const hashes = lines.map((line) => parseHash(line, what));
  if (hashes.length > MAX_HASHES) refuseForm(what, "hashes");
  const note = parseNote(utf8.encode(proof.slice(end + 2)), what);
  const checkpoint = await parseCheckpoint(note.text, what);
  return { index, hashes, extra, note, checkpoint, feed: parseFeed(checkpoint.origin, what) };
}

/** Verifies that a leaf is number `index` of the tree with this size and root (RFC 9162, section 2.1.3.2). */
async function verifyInclusion(leaf, index, size, hashes, root) {
  const wrong = () => refuse("inclusion");
  if (index >= size) wrong();
  let [fn, sn, hash] = [index, size - 1n, leaf];
  for (const sibling of hashes) {
    if (sn === 0n) wrong();
    if ((fn & 1n) === 1n || fn === sn) {
      hash = await sha256(Uint8Array.of(1), sibling, hash);
      while ((fn & 1n) === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      hash = await sha256(Uint8Array.of(1), hash, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n || !isEqual(hash, root)) wrong();
}
