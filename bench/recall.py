"""Recall of the screening index against an exhaustive comparison: `python -m bench.recall [--entries N] [--pairs N]`.

Makes a list (`bench.list_names`) and asks for names derived from its entries: in another script, romanised by another
scheme, with other word order, hyphens, capitals, a slip of spelling, without legal form or place; and for names that
have nothing to do with it. Each is compared with every name of the list, and what the comparison calls compatible or
better the index has to find. Asks until enough such pairs have been judged, and prints what was missed, and why:

* no key: the two names share no key, so the index never looks there;
* left out unread: a key leads there, and a test on marks or text says that they can't agree;
* beyond the most: there are more candidates than are compared.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bench.list_names import entries, query_name
from gateway.screening.compare import compare
from gateway.screening.index.columns import IndexEntry
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.index.keys import index_keys, query_keys
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import MatchClass, NameKind
from gateway.screening.text.normalisation import han_part, has_han
from gateway.screening.text.sounds import RomanisationScheme, cantonese, mandarin, spellings
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec.screening import record_of

ENTRIES = 20_000
PAIRS = 1_200
STRANGERS = 4
"""Of so many names asked for, one has nothing to do with the list."""

PARTIES = (NameKind.PERSON, NameKind.ORGANISATION)
Query = tuple[str, NameKind]


class Miss(NamedTuple):
    """A pair that the comparison finds and the index doesn't."""

    query: str
    listed: str
    match_class: MatchClass
    reason: str


class Recall(NamedTuple):
    """Pairs that the comparison finds, of how many queries, and those that the index misses; pairs by derivation."""

    pairs: int
    queries: int
    misses: list[Miss]
    by_way: Counter[str]

    @property
    def share(self) -> float:
        return 1 - len(self.misses) / self.pairs if self.pairs else 1.0


def records(count: int) -> Iterator[IndexEntry]:
    """The generator's entries as the index takes them."""
    for entry_id, content in entries(count):
        yield record_of("cn", watchlist_pb2.WatchlistEntry(list="synthetic", id=entry_id, revision=1, content=content))


def _romanised(rng: random.Random, text: str, kind: NameKind) -> str:
    """A Han name in one scheme, as it is spoken: places and words of business too, as in names that are pinyin
    throughout."""
    scheme = rng.choice((RomanisationScheme.MAINLAND, RomanisationScheme.HONG_KONG, RomanisationScheme.MACAO))
    spelt = [_syllable(rng, character, scheme) for character in han_part(text).replace("(", "").replace(")", "")]
    if kind == NameKind.ORGANISATION:
        return " ".join(spelt).title()
    surname, given = spelt[0].title(), [one.title() for one in spelt[1:]]
    if scheme == RomanisationScheme.MAINLAND:
        return f"{surname} {''.join(given).title()}"
    return rng.choice(
        (f"{surname} {' '.join(given)}", f"{surname.upper()}, {' '.join(given)}", f"{surname} {'-'.join(given)}")
    )


def _syllable(rng: random.Random, character: str, scheme: RomanisationScheme) -> str:
    found = sorted(s for s in spellings((mandarin(character)[0], cantonese(character)[0]), scheme) if s.isalpha())
    return rng.choice(found) if found else character


def _reordered(rng: random.Random, text: str, _: NameKind) -> str:
    words = text.replace(",", "").split()
    return " ".join((*words[1:], words[0])) if len(words) > 1 else text


def _slipped(rng: random.Random, text: str, _: NameKind) -> str:
    """A vowel written otherwise, or a consonant doubled, in the longest word."""
    words = text.split()
    at = max(range(len(words)), key=lambda number: len(words[number]))
    word = words[at]
    place = rng.randrange(1, len(word)) if len(word) > 1 else 0
    letter = word[place].lower()
    instead = rng.choice("aeiou") if letter in "aeiou" else letter * 2 if letter.isalpha() else letter
    words[at] = word[:place] + instead + word[place + 1 :]
    return " ".join(words)


def _otherwise(rng: random.Random, text: str, _: NameKind) -> str:
    """Capitals, hyphens and spaces as another clerk puts them."""
    return rng.choice(
        (text.upper(), text.replace("-", " "), text.replace(" ", "-", 1), f" {text.lower()} ", f"{text}.")
    )


def _shortened(rng: random.Random, text: str, kind: NameKind) -> str:
    """Without legal form, or without the first word or the two first characters, which may be a place."""
    if has_han(text):
        return rng.choice((text.removesuffix("有限公司"), text[2:] if len(text) > 6 else text))
    words = text.split()
    return " ".join(rng.choice((words[:-1], words[1:])) or words) if len(words) > 2 else text


def _as_it_is(rng: random.Random, text: str, _: NameKind) -> str:
    return text


WAYS: dict[str, Callable[[random.Random, str, NameKind], str]] = {
    "as it is": _as_it_is,
    "romanised": _romanised,
    "word order": _reordered,
    "slip": _slipped,
    "otherwise": _otherwise,
    "shortened": _shortened,
}


def derived(rng: random.Random, listed: Sequence[Query]) -> tuple[str, Query]:
    """A name asked for, made of one on the list, and by which way."""
    text, kind = rng.choice(listed)
    ways = ["as it is", "romanised", "shortened"] if has_han(text) else [way for way in WAYS if way != "romanised"]
    way = rng.choice(ways)
    return way, (WAYS[way](rng, text, kind), kind)


def measure(count: int, pairs: int, seed: int = 9) -> Recall:
    """Asks an index of `count` entries until `pairs` true pairs have been judged."""
    rng, listed = random.Random(seed), list(records(count))
    index = NameIndex()
    index.load(listed)
    names = [
        (record.id, prepare(name.text, name.kind))
        for record in listed
        for name in record.names
        if name.kind in PARTIES and not name.weak
    ]
    texts = [(name.text, name.kind) for _, name in names]
    judged, asked, misses, by_way = 0, 0, list[Miss](), Counter[str]()
    while judged < pairs:
        asked += 1
        if asked % STRANGERS == 0:
            text, kind = query_name(rng)
            way, query = "stranger", (text, NameKind(kind))
        else:
            way, query = derived(rng, texts)
        true = _exhaustive(prepare(*query), names)
        found = {hit.reference.id for hit in index.search(PartyQuery((query,)), limit=count).hits}
        judged += len(true)
        by_way[way] += len(true)
        misses += [_miss(index, query, *true[entry], entry) for entry in true if entry not in found]
    return Recall(judged, asked, misses, by_way)


def _exhaustive(
    query: PreparedName, names: Sequence[tuple[str, PreparedName]]
) -> dict[str, tuple[PreparedName, MatchClass]]:
    """By entry the name that compares best, of those that compare as compatible or better."""
    best: dict[str, tuple[PreparedName, MatchClass]] = {}
    for entry, name in names:
        if name.kind == query.kind:
            found = compare(query, name).match_class
            if found and (entry not in best or found > best[entry][1]):
                best[entry] = (name, found)
    return best


def _miss(index: NameIndex, query: Query, name: PreparedName, match_class: MatchClass, entry: str) -> Miss:
    if not query_keys(prepare(*query)) & index_keys(name):
        reason = "no key"
    elif any(hit.reference.id == entry for hit in index.search(PartyQuery((query,)), limit=10**9, most=10**9).hits):
        reason = "beyond the most"
    else:
        reason = "left out unread"
    return Miss(query[0], name.text, match_class, reason)


def report(recall: Recall, entries_count: int) -> None:
    by_way = ", ".join(f"{way} {number}" for way, number in recall.by_way.most_common())
    print(f"recall {recall.share:.2%}: {len(recall.misses)} of {recall.pairs:,} pairs missed")
    print(f"  {recall.queries:,} names asked for, {entries_count:,} entries; pairs by way: {by_way}")
    for reason, number in Counter(miss.reason for miss in recall.misses).most_common():
        print(f"  {reason}: {number}")
        for miss in [each for each in recall.misses if each.reason == reason][:12]:
            print(f"    {miss.query} | {miss.listed} ({miss.match_class.name.lower()})")


def main() -> None:
    parser = argparse.ArgumentParser(description="Recall of the screening index against an exhaustive comparison.")
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="true pairs to judge")
    parser.add_argument("--seed", type=int, default=9)
    options = parser.parse_args()
    report(measure(options.entries, options.pairs, options.seed), options.entries)


if __name__ == "__main__":
    main()
