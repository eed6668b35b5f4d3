
// --- canonical JSON, and the directory: whose keys count, and when

const MAX_DIRECTORY_BYTES = 768 * 1024;
const MAX_JSON_DEPTH = 32;
const MAX_AUTHORITIES = 64;
const MAX_KEYS_PER_NODE = 32;
const DIRECTORY_FORMAT = "customs-gateway-directory/v1";
const DIRECTORY = "directory.note";

/** Parses JSON that has one spelling: sorted members, an indent of two, whole numbers, one newline at its end. */
function parseJson(bytes, what) {
  const text = toText(bytes, what);
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    return refuseForm(what, "JSON");
  }
  if (`${writtenJson(value, what, 0)}\n` !== text) refuseForm(what, "JSON");
  return value;
}

function writtenJson(value, what, depth) {
  const isNumber = typeof value === "number";
  const isLoneSurrogate = typeof value === "string" && /\p{Cs}/u.test(value);
  if (depth > MAX_JSON_DEPTH || (isNumber && !Number.isSafeInteger(value)) || isLoneSurrogate) refuseForm(what, "JSON");
  if (value === null || typeof value !== "object") return isNumber ? String(value) : JSON.stringify(value);
  const below = (each) => writtenJson(each, what, depth + 1);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const items = Array.isArray(value)
    ? value.map(below)
    : Object.keys(value).sort(byCodePoint).map((name) => `${below(name)}: ${below(value[name])}`);
  if (items.length === 0) return open + close;
  const indent = "  ".repeat(depth);
  return `${open}\n${items.map((item) => `${indent}  ${item}`).join(",\n")}\n${indent}${close}`;
}

function byCodePoint(left, right) {
  const [one, other] = [left, right].map((text) => Array.from(text, (character) => character.codePointAt(0)));
  const at = one.findIndex((point, place) => point !== other[place]);
  return at < 0 ? one.length - other.length : one[at] - (other[at] ?? -1);
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function isName(value) {
  return typeof value === "string" && NODE.test(value);
}

/** Refuses an object that hasn't exactly these members; `place` is its path in the directory. */
function requireMembers(value, place, ...names) {
  const has = isObject(value) ? Object.keys(value).sort() : [];
  if (JSON.stringify(has) !== JSON.stringify(names.sort())) refuseForm(DIRECTORY, place);
}

function objectsIn(value, place, most) {
  if (!isObject(value) || Object.keys(value).length > most || !Object.keys(value).every(isName)) {
    refuseForm(DIRECTORY, place);
  }
  return Object.entries(value);
}

/** A time like 2026-01-15T08:00:00Z in milliseconds since 1970. */
function toTime(value, place) {
  const isTime = typeof value === "string" && /^(?!0000)[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z$/.test(value);
  const time = isTime ? Date.parse(value) : NaN;
  if (Number.isNaN(time) || new Date(time).toISOString() !== value.replace("Z", ".000Z")) refuseForm(DIRECTORY, place);
  return time;
}

/** A key of a node: `{key, type, from, until, revoked}`, times in milliseconds since 1970, `revoked` null or a time. */
function keyRecord(record, place, type) {
  const algorithm = type === ML_DSA_44 ? ["algorithm"] : [];
  requireMembers(record, place, ...algorithm, "public_key", "not_before", "not_after", "revoked_at");
  if (type === ML_DSA_44 && record.algorithm !== "ml-dsa-44") refuseForm(DIRECTORY, `${place}.algorithm`);
  if (typeof record.public_key !== "string") refuseForm(DIRECTORY, `${place}.public_key`);
  const key = fromBase64(record.public_key, DIRECTORY);
  if (type === ED25519) requireStrongKey(key, DIRECTORY);
  else if (key.length !== ML_DSA_KEY_BYTES) refuseForm(DIRECTORY, `${place}.public_key`);
  const [from, until] = [toTime(record.not_before, place), toTime(record.not_after, place)];
  const revoked = record.revoked_at === null ? null : toTime(record.revoked_at, place);
  if (until <= from) refuseForm(DIRECTORY, `${place}.not_after`);
  return { key, type, from, until, revoked };
}

function keysIn(list, place, type) {
  if (!Array.isArray(list) || list.length > MAX_KEYS_PER_NODE) refuseForm(DIRECTORY, place);
  return list.map((record, at) => keyRecord(record, `${place}[${at}]`, type));
}

/** A node's keys, the first algorithm's first: `{authority, log, receipts}`. */
function nodeOf(node, place) {
  requireMembers(
    node, place,
    "authority", "cosign_keys", "endpoints", "extensions", "log_keys", "tls_ca_pems", "tls_server_name",
  );
  const second = isObject(node.extensions) ? node.extensions.second_keys : undefined;
  if (second !== undefined) requireMembers(second, `${place}.extensions.second_keys`, "cosign_keys", "log_keys");
  const keys = (member) => [
    ...keysIn(node[member], `${place}.${member}`, ED25519),
    ...keysIn(second === undefined ? [] : second[member], `${place}.extensions.second_keys.${member}`, ML_DSA_44),
  ];
  return { authority: node.authority, log: keys("log_keys"), receipts: keys("cosign_keys") };
}

/**
 * Reads a directory as far as evidence needs it: authorities, nodes, and keys with their times. Agreements, addresses
 * and certificates have no part in it, and aren't judged.
 *
 * Returns `{federation, version, threshold, authorities: Map of {node, verifier}, nodes: Map of nodeOf(…)}`.
 */
async function readDirectory(text) {
  if (text.length > MAX_DIRECTORY_BYTES) refuse("too_large", { what: DIRECTORY });
  const value = parseJson(text, DIRECTORY);
  const { federation, version, threshold } = isObject(value) ? value : {};
  if (value?.format !== DIRECTORY_FORMAT) refuseForm(DIRECTORY, "format");
  if (typeof federation !== "string" || !FEDERATION.test(federation)) refuseForm(DIRECTORY, "federation");
  if (!Number.isInteger(version) || version < 1) refuseForm(DIRECTORY, "version");
  if (!Number.isInteger(threshold) || threshold < 1) refuseForm(DIRECTORY, "threshold");
  const [issued, expires] = ["issued_at", "expires_at"].map((name) => toTime(value[name], name));
  if (expires <= issued) refuseForm(DIRECTORY, "expires_at");
  const authorities = new Map();
  for (const [name, authority] of objectsIn(value.authorities, "authorities", MAX_AUTHORITIES)) {
    const place = `authorities.${name}`;
    requireMembers(authority, place, "directory_key", "display_names", "node");
    if (typeof authority.directory_key !== "string") refuseForm(DIRECTORY, place);
    authorities.set(name, { node: authority.node, verifier: await parseVkey(authority.directory_key, DIRECTORY) });
  }
  const nodes = new Map();
  for (const [name, node] of objectsIn(value.nodes, "nodes", MAX_AUTHORITIES)) {
    nodes.set(name, nodeOf(node, `nodes.${name}`));
  }
  const directory = { federation, version, threshold, authorities, nodes };
  requireRules(directory);
  return directory;
}

/** Refuses a directory whose parts contradict each other: a key has one use, or it could speak as somebody else. */
function requireRules({ federation, threshold, authorities, nodes }) {
  if (threshold > authorities.size) refuseForm(DIRECTORY, "threshold");
  for (const [name, { node, verifier }] of authorities) {
    const isNamed = verifier.name === `${federation}/${name}/directory`;
    if (!isNamed || nodes.get(node)?.authority !== name) refuseForm(DIRECTORY, `authorities.${name}`);
  }
  for (const [name, { authority }] of nodes) {
    if (!authorities.has(authority)) refuseForm(DIRECTORY, `nodes.${name}.authority`);
  }
  const keys = [...authorities.values()].map(({ verifier }) => toHex(verifier.key));
  for (const { log, receipts } of nodes.values()) keys.push(...[...log, ...receipts].map(({ key }) => toHex(key)));
  if (new Set(keys).size !== keys.length) refuseForm(DIRECTORY, "public_key");
}

/** Opens a directory that somebody vouches for: the keys that it names itself verify it. It is undamaged, no more. */
async function openDirectory(bytes) {
  const note = parseNote(bytes, DIRECTORY);
  const directory = await readDirectory(note.text);
  const verifiers = [...directory.authorities.values()].map(({ verifier }) => verifier);
  const signatures = await openNote(note, verifiers, directory.threshold);
  const signedBy = signatures.map(({ verifier }) => verifier.name);
  return { ...directory, note, verifiers, signedBy, digest: toHex(await sha256(note.text)) };
}

/** The reader's directory keys: `{verifiers, threshold, federation}`; without a threshold all must have signed. */
async function parseAnchors(lines, threshold) {
  const verifiers = [];
  for (const line of lines) {
    try {
      verifiers.push(await parseVkey(line, "vkey"));
    } catch {
      return refuse("vkey", { text: line });
    }
  }
  const federations = new Set(verifiers.map(({ name }) => name.split("/").slice(0, -2).join("/")));
  if (federations.size !== 1) refuse("vkey_federations");
  if (new Set(verifiers.map(({ key }) => toHex(key))).size !== verifiers.length) refuse("vkey_twice");
  const needed = threshold ?? verifiers.length;
  if (!Number.isInteger(needed) || needed < 1 || needed > verifiers.length) refuse("vkey_threshold");
  return { verifiers, threshold: needed, federation: [...federations][0] };
}

/** Requires that the reader's keys have signed a directory, and nobody whom neither the reader nor it names. */
async function requireAnchors(directory, anchors) {
  await openNote(directory.note, anchors.verifiers, anchors.threshold);
  const known = [...directory.verifiers, ...anchors.verifiers];
  const stranger = directory.note.lines.find((line) => !known.some((verifier) => isBy(verifier, line)));
  if (stranger !== undefined) refuse("stranger", { name: stranger.name });
  if (directory.federation !== anchors.federation) {
    refuse("federation", { found: directory.federation, expected: anchors.federation });
  }
}

/** Whether a signature of this time, in milliseconds since 1970, counts. */
function isUsable({ from, until, revoked }, time) {
  return from <= time && time < until && (revoked === null || time < revoked);
}
