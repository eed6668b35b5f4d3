
// --- what verified entries prove of each step

/** What is proved of each step: who said it, whether it was received, what was last said to be made of it. */
function stepProofs(entries) {
  const stating = entries.filter(({ kind }) => kind === "disposition");
  return entries.filter(({ kind }) => kind !== "disposition").map((entry) => ({
    entry,
    by: entry.feed.publisher,
    to: entry.feed.recipient,
    recordedAt: entry.recordedAt,
    receivedAt: entry.receivedAt,
    made: stating.findLast((each) => speaksOf(each, entry)) ?? null,
  }));
}

/** What later entries did to each finding: `corrected` or `withdrawn`, by entry; one that stands isn't there. */
function endsOfFindings(events) {
  const placeOf = (origin, index) => `${origin} ${index}`;
  const findings = new Map(); // number of the finding to its present place
  const numbers = new Map(); // place to the number of the finding that it says
  const isCurrent = (place) => {
    const finding = findings.get(numbers.get(place));
    return finding !== undefined && finding.place === place && !finding.isWithdrawn;
  };
  for (const { kind, body, feed, index } of events) {
    const place = placeOf(feed.line, index);
    const member = kind === "finding_corrected" ? "replaces" : "finding";
    const meant = placeOf(valueAt(body, `${member}.origin`, ""), valueAt(body, `${member}.index`, 0n));
    if (kind === "finding") {
      numbers.set(place, findings.size + 1);
      findings.set(findings.size + 1, { place, isWithdrawn: false });
    } else if (kind === "finding_corrected" && isCurrent(meant)) {
      numbers.set(place, numbers.get(meant));
      findings.set(numbers.get(meant), { place, isWithdrawn: false });
    } else if (kind === "finding_withdrawn" && isCurrent(meant)) {
      findings.get(numbers.get(meant)).isWithdrawn = true;
    }
  }
  const ended = events.filter(({ feed, index }) => {
    const place = placeOf(feed.line, index);
    return numbers.has(place) && !isCurrent(place);
  });
  const endOf = (event) => {
    const place = placeOf(event.feed.line, event.index);
    return findings.get(numbers.get(place)).place === place ? "withdrawn" : "corrected";
  };
  return new Map(ended.map((event) => [event, endOf(event)]));
}
