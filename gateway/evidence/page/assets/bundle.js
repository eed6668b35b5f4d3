
// --- the bundle: its files, its .zip form, its manifest

const MAX_FILE_BYTES = 5 * 1024 * 1024;
const MAX_EVENTS = 999;
const MAX_FILES = 11 + 5 * MAX_EVENTS;
const MAX_BUNDLE_BYTES = 64 * 1024 * 1024;
const MAX_ZIP_BYTES = MAX_BUNDLE_BYTES + MAX_FILES * 512;
const MAX_NAME_CHARS = 200;
const FORMATS = [
  "customs-gateway-evidence/v4",
  "customs-gateway-evidence/v3",
  "customs-gateway-evidence/v2",
  "customs-gateway-evidence/v1",
];
const TIME_STAMP = ["alert.consistency", "alert.tsr"];
const WITNESSED = "alert.witnessed";
const README = "README.txt";
const MANIFEST = "manifest.json";
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
const EVENT_FILE = /^(events\/[0-9]{3}-[a-z_]{1,32})\/[a-z.-]{1,32}$/;
const ZIP = ".zip";

/** Files by name, in order of name and within the limits, from `[[name, bytes], …]`. */
function filesOf(pairs) {
  if (pairs.length > MAX_FILES) refuse("too_large", { what: ZIP });
  const files = new Map([...pairs].sort(([left], [right]) => (left < right ? -1 : 1)));
  if (files.size !== pairs.length) refuseForm(ZIP, "names");
  let total = 0;
  for (const [name, content] of files) {
    if (name.length > MAX_NAME_CHARS || !FILE_NAME.test(name)) refuseForm(ZIP, "names");
    if (content.length > MAX_FILE_BYTES) refuse("too_large", { what: name });
    total += content.length;
  }
  if (total > MAX_BUNDLE_BYTES) refuse("too_large", { what: ZIP });
  return files;
}

/** Reads a .zip file of stored files; it must have, byte for byte, the one form in which bundles are written. */
function unzipped(bytes) {
  if (bytes.length > MAX_ZIP_BYTES) refuse("too_large", { what: ZIP });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - 22; // APPNOTE of PKWARE, section 4.3.16: without a comment
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) refuse("zip");
  const count = view.getUint16(end + 10, true);
  const pairs = [];
  let [place, at] = [view.getUint32(end + 16, true), 0];
  for (let number = 0; number < count; number += 1) {
    // No offset of a stranger's file is followed: each file begins where the last one ended.
    if (place + 46 > end || view.getUint32(place, true) !== 0x02014b50) refuse("zip");
    const [size, nameBytes] = [view.getUint32(place + 24, true), view.getUint16(place + 28, true)];
    const name = String.fromCharCode(...bytes.subarray(place + 46, place + 46 + nameBytes));
    const start = at + 30 + nameBytes;
    place += 46 + nameBytes;
    at = start + size;
    if (place > end || at > bytes.length) refuse("zip");
    pairs.push([name, bytes.slice(start, at)]);
  }
  const files = filesOf(pairs);
  if (!isEqual(zipped(files), bytes)) refuse("zip");
  return files;
}

/** The .zip file of a bundle: stored, in order of name, of the first day that the format knows. */
function zipped(files) {
  const [parts, entries] = [[], []];
  let [at, entriesBytes] = [0, 0];
  for (const [name, content] of files) {
    const shared = [
      [20, 2], [0, 2], [0, 2], [0, 2], [0x21, 2], [crc32(content), 4], [content.length, 4], [content.length, 4],
      [name.length, 2], [0, 2],
    ]; // version, flags, stored, time, day, checksum, sizes, length of the name, no more
    const head = numbers([0x04034b50, 4], ...shared);
    const entry = numbers([0x02014b50, 4], [0x0314, 2], ...shared, [0, 2], [0, 2], [0, 2], [0x81a40000, 4], [at, 4]);
    parts.push(head, utf8.encode(name), content);
    entries.push(entry, utf8.encode(name));
    at += head.length + name.length + content.length;
    entriesBytes += entry.length + name.length;
  }
  const tail = [[0, 2], [0, 2], [files.size, 2], [files.size, 2], [entriesBytes, 4], [at, 4], [0, 2]];
  return joined(...parts, ...entries, numbers([0x06054b50, 4], ...tail));
}

/** Numbers of two or four bytes, the least byte first. */
function numbers(...pairs) {
  return Uint8Array.from(
    pairs.flatMap(([number, width]) => Array.from({ length: width }, (_, at) => Math.floor(number / 256 ** at) % 256)),
  );
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/**
 * Takes a bundle apart: `{directory, alert, events, isStamped, isWitnessed}`; an entry is
 * `{number, folder, header, salt, payload, proof}`.
 */
function partsOf(files) {
  const left = new Map(files);
  const missing = [];
  const take = (name) => {
    if (!left.has(name)) missing.push(name);
    const content = left.get(name) ?? new Uint8Array(0);
    left.delete(name);
    return content;
  };
  const entry = (number, folder, stem) => {
    const prefix = folder === "" ? "" : `${folder}/`;
    take(`${prefix}${stem}.json`);
    const [header, salt, payload, proof] = ["header.binpb", "salt.bin", "payload.binpb", `${stem}.tlog-proof`].map(
      (name) => take(prefix + name),
    );
    return { number, folder, header, salt, payload, proof };
  };
  take(README);
  take(MANIFEST);
  const directory = take(DIRECTORY);
  const alert = entry(0, "", "alert");
  const folders = new Set([...left.keys()].map((name) => EVENT_FILE.exec(name)?.[1]).filter(Boolean));
  const events = [...folders].sort().map((folder, at) => entry(at + 1, folder, "event"));
  const isStamped = TIME_STAMP.some((name) => left.has(name));
  if (isStamped) TIME_STAMP.forEach(take);
  const isWitnessed = left.delete(WITNESSED);
  if (missing.length > 0) refuse("missing", { names: missing.slice(0, 20).join(", ") });
  if (left.size > 0) refuse("unknown", { names: [...left.keys()].slice(0, 20).join(", ") });
  return { directory, alert, events, isStamped, isWitnessed };
}

/** The manifest's part for steps 1, 5 and 9: `{digests: Map, leaves: [text], alert: {publisher, id, recipient}}`. */
function readManifest(files) {
  const value = parseJson(files.get(MANIFEST), MANIFEST);
  const isLine = (text) => typeof text === "string" && !text.includes("\n");
  const isDigest = (text) => typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
  const areListed = (list, ...rules) =>
    Array.isArray(list) && list.length <= files.size &&
    list.every((item) => isObject(item) && rules.every(([name, isRight]) => isRight(item[name])));
  if (!FORMATS.includes(value?.format)) refuseForm(MANIFEST, "format");
  if (!areListed(value.files, ["name", isLine], ["sha256", isDigest])) refuseForm(MANIFEST, "files");
  if (!areListed(value.entries, ["leaf_hash", isDigest])) refuseForm(MANIFEST, "entries");
  const alert = value.alert;
  if (!isObject(alert) || ![alert.publisher, alert.id, alert.recipient].every(isLine)) refuseForm(MANIFEST, "alert");
  return {
    digests: new Map(value.files.map(({ name, sha256: digest }) => [name, digest])),
    leaves: value.entries.map(({ leaf_hash: leaf }) => leaf),
    alert,
  };
}
