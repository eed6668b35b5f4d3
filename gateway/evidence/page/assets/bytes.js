// Verifies evidence of an alert between customs authorities: in this browser alone, without network or other software.
//
// In this order: bytes and signatures, the signed log, the directory of keys, the bundle of files, protobuf, the steps
// of the check, and what the page shows. The steps have the numbers of the gateway's docs/protocol.md, section 16.
// Signed bytes are verified before anybody relies on what they say, and what can be spelt in two ways is refused.

// --- bytes and signatures

const HASH_BYTES = 32;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** Points of order 1, 2, 4 and 8 as RFC 8032 encodes them: under such a key one signature fits many texts. */
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

/** Why something doesn't verify: `key` names a sentence of the page, which `values` fill in. */
class Refusal extends Error {
  constructor(key, values) {
    super(`${key} ${JSON.stringify(values)}`);
    this.key = key;
    this.values = values;
  }
}

function refuse(key, values = {}) {
  throw new Refusal(key, values);
}

/** Refuses bytes that aren't in their defined form; `detail` says where, in the format's terms. */
function refuseForm(what, detail) {
  refuse("form", { what, detail });
}

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function isEqual(left, right) {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function toText(bytes, what) {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return refuseForm(what, "UTF-8");
  }
}

function toBase64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Standard base64 with padding; another spelling of the same bytes is refused. */
function fromBase64(text, what) {
  let binary = "";
  try {
    binary = atob(text);
  } catch {
    return refuseForm(what, "base64");
  }
  if (btoa(binary) !== text) refuseForm(what, "base64");
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** Unsigned, the first byte the greatest. */
function toBigInt(bytes) {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

async function isSignature(publicKey, signature, message) {
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
  } catch {
    return false; // what is no key, and no point of the curve, has signed nothing
  }
}

/** Whether this browser verifies Ed25519: test 2 of RFC 8032, section 7.1, and not with a changed bit. */
async function canVerify() {
  if (globalThis.crypto?.subtle === undefined) return false;
  const key = fromHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const signature = fromHex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  );
  const changed = Uint8Array.from(signature, (byte, at) => (at === 0 ? byte ^ 1 : byte));
  const message = Uint8Array.of(0x72);
  return (await isSignature(key, signature, message)) && !(await isSignature(key, changed, message));
}

function requireStrongKey(key, what) {
  if (key.length !== PUBLIC_KEY_BYTES) refuseForm(what, "Ed25519");
  const y = Uint8Array.from(key);
  y[PUBLIC_KEY_BYTES - 1] &= 0x7f;
  if (SMALL_ORDER.has(toHex(y))) refuseForm(what, "Ed25519, small order");
}
