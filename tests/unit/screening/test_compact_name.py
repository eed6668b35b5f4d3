"""A name restored from its short form is the one that was read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.screening.compact_name import compact, restored
from gateway.screening.organisations.lexicon import NOISE
from gateway.screening.persons.given_names import WESTERN
from gateway.screening.persons.surnames import ANY_SPELLING, BY_HAN
from gateway.screening.prepared_name import prepare
from gateway.screening.result import NameKind
from gateway.screening.text.sounds import ANY_SYLLABLE
from tests.support.names import development_pairs, own_pairs

KINDS = st.sampled_from((NameKind.PERSON, NameKind.ORGANISATION, NameKind.UNKNOWN))
NAMES = sorted({text for pair in (*own_pairs(), *development_pairs()) for text in (pair.a, pair.b)})
WORDS = sorted({word for name in NAMES for word in name.split()} | NOISE | WESTERN | ANY_SPELLING.keys())
LATIN = st.sampled_from([*WORDS, *sorted(ANY_SYLLABLE), "No. 3", "(Macau)", "S.A.", "-", ","])
HAN = st.sampled_from(sorted({character for character in "".join(NAMES) if not character.isascii()} | BY_HAN.keys()))


def is_restored(text: str, kind: NameKind) -> bool:
    """Whether it has a form; fails where the form is of another name."""
    name = prepare(text, kind)
    form = compact(name)
    assert not form or restored(text, name.kind, form) == name
    return bool(form)


@pytest.mark.parametrize("kind", [NameKind.PERSON, NameKind.ORGANISATION])
def test_nearly_every_name_has_a_form(kind: NameKind) -> None:
    assert sum(is_restored(name, kind) for name in NAMES) > 0.95 * len(NAMES)


@given(words=st.lists(LATIN, max_size=7), han=st.lists(HAN, max_size=8), kind=KINDS)
def test_any_name_is_restored(words: list[str], han: list[str], kind: NameKind) -> None:
    for text in (" ".join(words), "".join(han), f"{' '.join(words)} {''.join(han)}"):
        is_restored(text, kind)


@given(st.text(max_size=30), KINDS)
def test_any_text_is_restored(text: str, kind: NameKind) -> None:
    is_restored(text, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Иван Петров", NameKind.PERSON),
        ("ООО Восток", NameKind.ORGANISATION),
        ("L1 Wei", NameKind.PERSON),
        ("粤Z1234港", NameKind.VEHICLE),
        ("\x1e\x1f\n", NameKind.PERSON),
    ],
)
def test_what_is_read_in_an_unusual_way_has_none(text: str, kind: NameKind) -> None:
    assert not is_restored(text, kind)
