
// --- the check, step by step

/** Names by number, as in docs/protocol.md of the gateway. */
const STEPS = {
  1: "bundle",
  2: "directory",
  3: "header",
  4: "payload",
  5: "leaf hash",
  6: "checkpoint",
  7: "inclusion",
  8: "receipt",
  9: "alert",
  10: "events",
  11: "words",
  12: "time stamp",
  13: "witnesses",
};

const SALT_BYTES = 32;
const MAX_UNIX_S = 253402300799n; // the end of the year 9999
const WHOLE_ALERT = ["published", "amended"];

/** A step has failed, and is recorded. */
class Stopped extends Error {}

/**
 * Verifies a bundle in steps, of which the first that fails is the last.
 *
 * 1. bundle: no file is missing or unknown; the manifest has each one's SHA-256.
 * 2. directory: the bundle's is undamaged and of the federation. Keys come from the reader's directory, or else from
 *    the one in this page, or else from the bundle's; the reader's keys, where there are any, must have signed it.
 * 3. header: in canonical form, of a known format and type.
 * 4. payload: SHA-256(salt ‖ payload) is the digest in the header.
 * 5. leaf hash: SHA-256(0x00 ‖ header) is the manifest's.
 * 6. checkpoint: its origin is the alert's feed, from its publisher to its recipient; a log key that the directory
 *    gives the publisher for that time has signed it, and nothing else but the receipt.
 * 7. inclusion: the proof leads from the leaf hash to the checkpoint's root.
 * 8. receipt: the recipient's cosignature on that checkpoint verifies, by a receipts key of that time. Without one the
 *    bundle shows who said it, not that it was received.
 * 9. alert: the payload parses, publishes the manifest's alert, and belongs in that feed.
 * 10. events: each later entry passes 3 to 8 and is about this alert, between these nodes.
 *
 * Step 11 of the gateway compares the files for people with the originals. This page reads none of them, and says where
 * there is a time stamp, step 12, or cosignatures of witnesses, step 13.
 *
 * A key counts if it was valid at the recipient's time in its cosignature, the only independent time. Without a receipt
 * only the publisher's time remains, which a thief of its key could backdate: the key must never have been revoked.
 *
 * `readFiles` returns what filesOf or unzipped does. `vouchers`: `{chosen, embedded, anchors}`, directories as bytes
 * and the reader's keys as `{lines, threshold}`, each or null.
 * Returns `{steps: [{number, status, facts}], evidence}`; the evidence is null unless no step failed.
 */
async function examine(readFiles, vouchers, contract) {
  const steps = [];
  try {
    return { steps, evidence: await prove(steps, readFiles, vouchers, contract) };
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    return { steps, evidence: null };
  }
}

/** Does the work of a step, and records what it adds to its facts, sentences of the page: `[[key, values], …]`. */
async function takeStep(steps, number, work) {
  const facts = [];
  try {
    const result = await work(facts);
    steps.push({ number, status: "passed", facts });
    return result;
  } catch (error) {
    // What this code didn't foresee proves nothing either.
    const refusal = error instanceof Refusal ? error : new Refusal("unreadable", { detail: String(error) });
    const place = refusal.folder === undefined ? [] : [["in_entry", { folder: refusal.folder }]];
    steps.push({ number, status: "failed", facts: [...place, [refusal.key, refusal.values]] });
    throw new Stopped();
  }
}

async function prove(steps, readFiles, vouchers, contract) {
  const step = (number, work) => takeStep(steps, number, work);
  const { parts, manifest } = await step(1, async (facts) => requireWhole(await readFiles(), facts));
  const trust = await step(2, (facts) => trustedDirectory(parts.directory, vouchers, facts));
  const header = await step(3, async () => parseHeader(parts.alert.header, nameIn(parts.alert, "header.binpb")));
  await step(4, () => requirePayload(parts.alert, header));
  const leaf = await step(5, (facts) => requireLeaf(parts.alert, manifest.leaves[0], facts));
  const alert = await step(6, async (facts) => {
    const entry = await readEntry(parts.alert, header, leaf, contract);
    await requireCheckpoint(entry, trust);
    requireFeed(entry, manifest.alert);
    facts.push(["checkpoint", { feed: entry.feed.line, size: String(entry.checkpoint.size) }]);
    if (entry.unchecked > 0) facts.push(["second"]);
    return entry;
  });
  await step(7, async (facts) => {
    await requireInclusion(alert);
    facts.push(["place", { index: String(alert.index) }]);
  });
  if (alert.receivedAt === null) {
    steps.push({ number: 8, status: "absent", facts: [["no_receipt", { node: alert.feed.recipient }]] });
  } else {
    await step(8, async (facts) => {
      await requireReceipt(alert, trust);
      facts.push(["received", { node: alert.feed.recipient, time: alert.receivedAt }]);
    });
  }
  await step(9, async (facts) => {
    requireAlert(alert, manifest.alert);
    facts.push(["alert", manifest.alert]);
  });
  return step(10, async (facts) => {
    const events = await verifiedEvents(parts.events, manifest, trust, alert, contract);
    const proofs = stepProofs([alert, ...events]);
    facts.push(["later", { number: String(events.length) }]);
    facts.push(...unreceived(proofs.slice(1)));
    const { isStamped, isWitnessed } = parts;
    return { trust, alert, events, proofs, isStamped, isWitnessed, findings: endsOfFindings(events) };
  });
}

/** Sentences on steps that nobody has signed a receipt of. */
function unreceived(proofs) {
  const names = proofs.filter(({ receivedAt }) => receivedAt === null).map(({ entry, to }) => `${entry.name} (${to})`);
  return names.length === 0 ? [] : [["unreceived", { names: names.join(", ") }]];
}

function nameIn({ folder }, name) {
  return folder === "" ? name : `${folder}/${name}`;
}

// Step 1

async function requireWhole(files, facts) {
  const parts = partsOf(files);
  const manifest = readManifest(files);
  const changed = [];
  for (const name of new Set([...files.keys(), ...manifest.digests.keys()])) {
    if (name === MANIFEST && !manifest.digests.has(name)) continue; // it can't list itself
    const content = name === MANIFEST ? undefined : files.get(name);
    const digest = content === undefined ? "" : toHex(await sha256(content));
    if (digest !== manifest.digests.get(name)) changed.push(name);
  }
  if (changed.length > 0) refuse("changed", { names: changed.sort().slice(0, 20).join(", ") });
  facts.push(["files", { number: String(files.size) }]);
  return { parts, manifest };
}

// Step 2

async function trustedDirectory(ownNote, { chosen, embedded, anchors }, facts) {
  const own = await openDirectory(ownNote);
  const note = chosen ?? embedded;
  const trust = note === null ? own : await openDirectory(note);
  if (anchors !== null) await requireAnchors(trust, await parseAnchors(anchors.lines, anchors.threshold));
  if (own.federation !== trust.federation) refuse("federation", { found: own.federation, expected: trust.federation });
  if (own.version === trust.version && own.digest !== trust.digest) refuse("two_versions", { version: own.version });
  const source = chosen !== null ? "chosen" : embedded !== null ? "page" : "bundle";
  const names = trust.signedBy.join(", ");
  const isVouched = chosen !== null || anchors !== null;
  if (!isVouched) facts.push(["self_signed"]);
  facts.push([`source_${source}`], ["directory", { federation: trust.federation, version: trust.version, names }]);
  if (anchors !== null) facts.push(["source_anchors"]);
  if (own.version !== trust.version) facts.push(["own_version", { version: own.version }]);
  return { ...trust, source, isVouched };
}

// Steps 4 and 5

async function requirePayload({ salt, payload }, { digest }) {
  // The salt's fixed length separates it from the payload: otherwise one leaf would stand for many payloads.
  if (salt.length !== SALT_BYTES || !isEqual(await sha256(salt, payload), digest)) refuse("payload");
}

async function requireLeaf({ header }, listed, facts = []) {
  const leaf = await sha256(Uint8Array.of(0), header);
  if (toHex(leaf) !== listed) refuse("leaf");
  facts.push(["value", { value: toHex(leaf) }]);
  return leaf;
}

// Step 6

/** What an entry says, unverified: its event, its proof, and the times that its publisher and its recipient state. */
async function readEntry(part, header, leaf, contract) {
  const event = decodeMessage(contract, ENTRY_TYPE, part.payload, nameIn(part, "payload.binpb"));
  const proofName = nameIn(part, part.folder === "" ? "alert.tlog-proof" : "event.tlog-proof");
  const proof = await parseProof(part.proof, proofName);
  const kinds = contract.messages[ENTRY_TYPE].filter(({ oneof }) => oneof !== undefined);
  const kind = kinds.find(({ name }) => event.values.has(name))?.name ?? "unknown";
  const receipt = proof.note.lines.find(({ name }) => name !== proof.feed.line);
  const received = receipt && toBigInt(receipt.signature.subarray(0, TIMESTAMP_BYTES)) * 1000n;
  return {
    ...proof,
    event,
    kind,
    // Not the name of its folder, which nobody has signed.
    name: part.number === 0 ? kind : `${String(part.number).padStart(3, "0")}-${kind}`,
    body: event.values.get(kind),
    leaf,
    recordedAt: toMoment(header.recordedAt, nameIn(part, "header.binpb")),
    receivedAt: received === undefined ? null : toMoment(received, proofName),
    unchecked: 0,
  };
}

/** Milliseconds since 1970, as a number, of a BigInt. */
function toMoment(time, what) {
  if (time < 0n || time > MAX_UNIX_S * 1000n) refuseForm(what, "time");
  return Number(time);
}

async function requireCheckpoint(entry, trust) {
  const { feed, note } = entry;
  const [publisher, recipient] = [trust.nodes.get(feed.publisher), trust.nodes.get(feed.recipient)];
  const isKnown = feed.federation === trust.federation && publisher !== undefined && recipient !== undefined;
  if (!isKnown) refuse("no_log_key", { node: feed.publisher });
  const receipts = receiptsName(feed);
  const second = [...(await secondKeys(feed.line, publisher.log)), ...(await secondKeys(receipts, recipient.receipts))];
  requireKnownSigners(entry, receipts, second);
  const time = entry.receivedAt ?? entry.recordedAt;
  const counts = (key) => isUsable(key, time) && (entry.receivedAt !== null || key.revoked === null);
  const keys = publisher.log.filter((key) => key.type === ED25519 && counts(key));
  const { verifier } = await firstSignature(note, keys, feed.line, ED25519, ["no_log_key", { node: feed.publisher }]);
  await requireSecond(entry, feed.line, publisher.log.filter((key) => isUsable(key, time)), null);
  entry.logKey = verifier.vkey;
}

function receiptsName({ federation, recipient }) {
  return `${federation}/${recipient}/receipts`;
}

function secondKeys(name, keys) {
  const second = keys.filter(({ type }) => type === ML_DSA_44);
  return Promise.all(second.map(({ key }) => verifierOf(name, ML_DSA_44, key)));
}

/** The log's lines come first, then its recipient's, at most one by each kind of key, and none is anybody else's. */
function requireKnownSigners(entry, receipts, second) {
  const { feed, note, checkpoint } = entry;
  const isSecond = (line) => second.some((verifier) => isBy(verifier, line));
  const places = note.lines.map((line) => (line.name === feed.line ? 0 : 2) + (isSecond(line) ? 1 : 0));
  const isInOrder = places.every((place, at) => at === 0 || places[at - 1] < place);
  const areKnown = note.lines.every(({ name }) => name === feed.line || name === receipts);
  if (!isInOrder || !areKnown) refuse("signers");
  for (const line of note.lines.filter(isSecond)) {
    // Browsers don't verify ML-DSA-44 (type 0x06): what can be seen is whether it has the form of such a signature.
    const isLong = line.signature.length === TIMESTAMP_BYTES + ML_DSA_SIGNATURE_BYTES;
    const isInTime = toBigInt(line.signature.subarray(0, TIMESTAMP_BYTES)) <= MAX_NUMBER;
    const isShort = utf8.encode(line.name).length <= 255 && utf8.encode(feed.line).length <= 255;
    if (!isLong || !isInTime || !isShort || checkpoint.lines.length !== 3) refuse("signature", { name: line.name });
    entry.unchecked += 1;
  }
}

/** The first of these keys that has signed the note; all lines by it are verified. */
async function firstSignature(note, keys, name, type, without) {
  let refusal = new Refusal(...without);
  for (const { key } of keys) {
    try {
      return (await openNote(note, [await verifierOf(name, type, key)], 1))[0];
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/** Where second keys of ML-DSA-44 count, one of them must be there too; `time`: that of the receipt, in seconds. */
async function requireSecond({ note }, name, usable, time) {
  const second = await secondKeys(name, usable);
  if (second.length === 0) return;
  const line = note.lines.find((each) => second.some((verifier) => isBy(verifier, each)));
  const isOfTime = line && (time === null || toBigInt(line.signature.subarray(0, TIMESTAMP_BYTES)) === time);
  if (!isOfTime) refuse("second_missing", { name });
}

function requireFeed({ feed }, alert) {
  const isSame = feed.publisher === alert.publisher && feed.recipient === alert.recipient;
  if (!isSame) refuse("other_feed", { feed: feed.line });
}

// Steps 7 and 8

async function requireInclusion({ extra, leaf, index, hashes, checkpoint }) {
  if (extra !== null) refuse("extra");
  await verifyInclusion(leaf, index, checkpoint.size, hashes, checkpoint.root);
}

async function requireReceipt(entry, trust) {
  const { feed, note, receivedAt } = entry;
  const keys = trust.nodes.get(feed.recipient).receipts.filter((key) => isUsable(key, receivedAt));
  const first = keys.filter(({ type }) => type === ED25519);
  const name = receiptsName(feed);
  const signature = await firstSignature(note, first, name, COSIGNATURE, ["no_receipts_key", { node: feed.recipient }]);
  await requireSecond(entry, name, keys, signature.time);
  entry.receiptsKey = signature.verifier.vkey;
}

// Steps 9 and 10

/** The copy of an alert that an entry is about: `{publisher, id, recipient}`. */
function keyOf({ kind, body, feed }) {
  const isWhole = WHOLE_ALERT.includes(kind);
  const publisher = valueAt(body, isWhole ? "publisher" : "alert.publisher", "");
  const id = valueAt(body, isWhole ? "id" : "alert.alert_id", "");
  const isOwn = publisher === feed.publisher && (!isWhole || valueAt(body, "recipient", "") === feed.recipient);
  const corrects = (name) => valueAt(body, `finding.alert.${name}`, "") === valueAt(body, `alert.${name}`, "");
  const isSound = kind !== "finding_corrected" || ["publisher", "alert_id"].every(corrects);
  if (!isSound || !(isOwn || (!isWhole && publisher === feed.recipient))) refuse("wrong_feed", { feed: feed.line });
  return { publisher, id, recipient: publisher === feed.publisher ? feed.recipient : feed.publisher };
}

function isSameAlert(left, right) {
  return ["publisher", "id", "recipient"].every((name) => left[name] === right[name]);
}

function requireAlert(alert, listed) {
  if (alert.kind !== "published") refuse("not_published", { kind: alert.kind });
  if (!isSameAlert(keyOf(alert), listed)) refuse("other_alert");
}

async function verifiedEvents(parts, manifest, trust, alert, contract) {
  const events = [];
  for (const [at, part] of parts.entries()) {
    try {
      const header = parseHeader(part.header, nameIn(part, "header.binpb")); // 3
      await requirePayload(part, header); // 4
      const leaf = await requireLeaf(part, manifest.leaves[at + 1]); // 5
      const event = await readEntry(part, header, leaf, contract);
      await requireCheckpoint(event, trust); // 6
      await requireInclusion(event); // 7
      if (event.receivedAt !== null) await requireReceipt(event, trust); // 8
      requireAbout(event, alert, events);
      events.push(event);
    } catch (error) {
      if (error instanceof Refusal) error.folder = part.folder;
      throw error;
    }
  }
  return events;
}

function requireAbout(event, alert, before) {
  const entries = [alert, ...before];
  const place = { feed: event.feed.line, index: String(event.index) };
  if (entries.some(({ feed, index }) => feed.line === event.feed.line && index === event.index)) refuse("twice", place);
  const isStep = !["disposition", "unknown", "published", "erased", "erasure_refused"].includes(event.kind);
  const isAbout = event.kind === "disposition"
    ? entries.some((entry) => speaksOf(event, entry))
    : isStep && isSameAlert(keyOf(event), keyOf(alert));
  if (!isAbout) refuse("not_about", place);
}

/** Whether a disposition, what a recipient made of entries, is about this one: in the feed that leads back. */
function speaksOf(stating, entry) {
  const first = valueAt(stating.body, "index", 0n);
  const isCounted = first <= entry.index && entry.index < first + valueAt(stating.body, "count", 0n);
  const isOfFeed = valueAt(stating.body, "origin", "") === entry.feed.line;
  return isCounted && isOfFeed && stating.feed.line === entry.feed.reverse;
}
