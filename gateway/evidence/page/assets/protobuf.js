
// --- protobuf: the entry's header, and messages by the contract's table in this page

const MAX_HEADER_BYTES = 256;
const ENTRY_FORMAT = 1;
const ENTRY_FORMAT_AFTER = 2;
const ENTRY_TYPE = "AlertEvent";
const ALERT_CHANNELS = ["alerts-a", "alerts-b", "alerts"];

/** Wire types: the value is a varint, eight bytes, a length with bytes, or four bytes. */
const [VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES] = [0, 1, 2, 5];
const WIRE_TYPES = { double: EIGHT_BYTES, string: LENGTH, bytes: LENGTH, message: LENGTH };

/** Fields in the order of the bytes: `{number, wire, value}`; the value is a BigInt for varints, else bytes. */
function* fieldsOf(bytes, what) {
  let at = 0;
  const take = (length) => {
    if (length > bytes.length - at) refuseForm(what, "protobuf");
    at += length;
    return bytes.subarray(at - length, at);
  };
  const varint = () => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const [byte] = take(1);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
      shift += 7n;
      if (shift >= 70n) refuseForm(what, "protobuf");
    }
    if (value >= 2n ** 64n) refuseForm(what, "protobuf");
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)];
    if (number === 0 || number >= 2 ** 29) refuseForm(what, "protobuf");
    if (wire === VARINT) yield { number, wire, value: varint() };
    else if (wire === LENGTH) yield { number, wire, value: take(Number(varint())) };
    else if (wire === EIGHT_BYTES) yield { number, wire, value: take(8) };
    else if (wire === FOUR_BYTES) yield { number, wire, value: take(4) };
    else refuseForm(what, "protobuf");
  }
}

function writtenVarint(value) {
  const bytes = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Uint8Array.of(...bytes, Number(rest));
}

/** Fields `[[number, value], …]` as protobuf writes them: BigInts as varints, zero left out; bytes with a length. */
function writtenFields(fields) {
  const parts = [];
  for (const [number, value] of fields) {
    const isBytes = typeof value !== "bigint";
    if (!isBytes && value === 0n) continue;
    parts.push(writtenVarint(BigInt(number * 8 + (isBytes ? LENGTH : VARINT))));
    parts.push(writtenVarint(isBytes ? BigInt(value.length) : value));
    if (isBytes) parts.push(value);
  }
  return joined(...parts);
}

/** Step 3: parses an EntryHeader, which must have the one form in which it can be written: `{digest, recordedAt}`. */
function parseHeader(bytes, what) {
  if (bytes.length > MAX_HEADER_BYTES) refuse("too_large", { what });
  const empty = new Uint8Array(0);
  let [format, type, digest, recorded, follows] = [0n, empty, empty, 0n, 0n];
  const after = [];
  for (const { number, wire, value } of fieldsOf(bytes, what)) {
    if (number === 1 && wire === VARINT) format = value;
    else if (number === 2 && wire === LENGTH) type = value;
    else if (number === 3 && wire === LENGTH) digest = value;
    else if (number === 4 && wire === VARINT) recorded = value;
    else if (number === 5 && wire === VARINT) follows = value;
    else if (number === 6 && wire === LENGTH) after.push(value);
  }
  const name = toText(type, what);
  const known = [BigInt(ENTRY_FORMAT), BigInt(ENTRY_FORMAT_AFTER)];
  if (!known.includes(format) || name !== ENTRY_TYPE) refuse("entry", { type: name, format: String(format) });
  const texts = [type, digest].map((value, at) => [at + 2, value]).filter(([, value]) => value.length > 0);
  const feeds = after.map((each) => [6, each]);
  const written = writtenFields([[1, format], ...texts, [4, recorded], [5, follows], ...feeds]);
  if (!isEqual(written, bytes)) refuseForm(what, "protobuf");
  if (digest.length !== HASH_BYTES || follows > MAX_NUMBER) refuseForm(what, "payload_digest, follows");
  requireDependencies(after, format === BigInt(ENTRY_FORMAT_AFTER), what);
  return { digest, recordedAt: BigInt.asIntN(64, recorded) };
}

/** An entry's dependencies on other feeds: known channels, in order, each once; in format 2 at least one, in 1 none. */
function requireDependencies(after, isNeeded, what) {
  const order = [];
  for (const bytes of after) {
    let [channel, reverse, size] = [new Uint8Array(0), 0n, 0n];
    for (const { number, wire, value } of fieldsOf(bytes, what)) {
      if (number === 1 && wire === LENGTH) channel = value;
      else if (number === 2 && wire === VARINT) reverse = value;
      else if (number === 3 && wire === VARINT) size = value;
    }
    if (!isEqual(writtenFields([[1, channel], [2, reverse], [3, size]]), bytes)) refuseForm(what, "after");
    const isKnown = ALERT_CHANNELS.includes(toText(channel, what)) && reverse <= 1n && size > 0n && size <= MAX_NUMBER;
    if (!isKnown) refuseForm(what, "after");
    order.push(`${reverse} ${toText(channel, what)}`);
  }
  const isInOrder = order.every((place, at) => at === 0 || order[at - 1] < place);
  if (!isInOrder || (order.length > 0) !== isNeeded) refuseForm(what, "after");
}

/**
 * Decodes a message of the contract: `{type, values: Map of name to value, unknown}`. A list field has an array, a
 * message field a message. As protobuf has it, a field that comes again replaces the first, or is merged with it where
 * it is a message; of alternatives the last one counts. `unknown` counts fields that this page's table doesn't know.
 */
function decodeMessage(contract, type, bytes, what) {
  const known = new Map(contract.messages[type].map((field) => [field.number, field]));
  const parts = new Map();
  let unknown = 0;
  for (const { number, wire, value } of fieldsOf(bytes, what)) {
    const field = known.get(number);
    const needed = field && (WIRE_TYPES[field.type] ?? VARINT);
    const isPacked = field?.repeated === true && needed !== LENGTH && wire === LENGTH;
    if (field === undefined || (wire !== needed && !isPacked)) {
      unknown += 1;
      continue;
    }
    for (const other of field.oneof === undefined ? [] : known.values()) {
      if (other.oneof === field.oneof && other !== field) parts.delete(other);
    }
    if (!parts.has(field)) parts.set(field, []);
    parts.get(field).push(...(isPacked ? unpacked(value, needed, what) : [value]));
  }
  const values = new Map();
  for (const field of known.values()) {
    if (!parts.has(field)) continue;
    const found = parts.get(field);
    const valueOf = (each) => decodeValue(contract, field, each, what);
    if (field.repeated === true) values.set(field.name, found.map(valueOf));
    else values.set(field.name, valueOf(field.type === "message" ? joined(...found) : found.at(-1)));
  }
  return { type, values, unknown };
}

function unpacked(bytes, wire, what) {
  const values = [];
  if (wire === EIGHT_BYTES) {
    if (bytes.length % 8 !== 0) refuseForm(what, "protobuf");
    for (let at = 0; at < bytes.length; at += 8) values.push(bytes.subarray(at, at + 8));
    return values;
  }
  let start = 0;
  bytes.forEach((byte, at) => {
    if (byte >= 0x80) return;
    const [field] = fieldsOf(joined(Uint8Array.of(8), bytes.subarray(start, at + 1)), what);
    values.push(field.value);
    start = at + 1;
  });
  if (start !== bytes.length) refuseForm(what, "protobuf");
  return values;
}

function decodeValue(contract, field, value, what) {
  switch (field.type) {
    case "message": return decodeMessage(contract, field.of, value, what);
    case "string": return toText(value, what);
    case "bytes": return value;
    case "double": return new DataView(value.buffer, value.byteOffset, 8).getFloat64(0, true);
    case "bool": return value !== 0n;
    case "uint32": return BigInt.asUintN(32, value);
    case "uint64": return value;
    case "int64": return BigInt.asIntN(64, value);
    default: return BigInt.asIntN(32, value); // int32 and enums
  }
}

/** A value at a path of a decoded message, or the default where a field isn't there. */
function valueAt(message, path, absent) {
  const value = path.split(".").reduce((at, name) => at?.values.get(name), message);
  return value ?? absent;
}

/** A Timestamp in milliseconds since 1970, as a BigInt; the gateway clips what no calendar has. */
function milliseconds(timestamp) {
  return valueAt(timestamp, "seconds", 0n) * 1000n + valueAt(timestamp, "nanos", 0n) / 1000000n;
}
