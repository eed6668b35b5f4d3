from hypothesis import given
from hypothesis import strategies as st

from gateway.screening.organisations.syllables import core_openings, syllabic
from gateway.screening.text.sounds import MAX_SYLLABLE, SCHEMES_OF, SYLLABLES, RomanisationScheme

SYLLABLE = st.sampled_from(sorted(SYLLABLES[RomanisationScheme.HONG_KONG])[::7] + sorted(SCHEMES_OF)[::31])
LETTERS = st.lists(SYLLABLE, max_size=4).map("".join) | st.text("aeghiknou", max_size=9)
CORE = st.lists(LETTERS.filter(bool), min_size=1, max_size=6)


def schemes_of(letters: str, at: int = 0) -> int:
    """By the definition: every way to cut a word, each part a syllable of one scheme."""
    if at == len(letters):
        return (1 << len(RomanisationScheme)) - 1
    found = 0
    for end in range(at + 1, min(at + MAX_SYLLABLE, len(letters)) + 1):
        spelt = SCHEMES_OF.get(letters[at:end], 0)
        found |= spelt and spelt & schemes_of(letters, end)
    return found


@given(letters=LETTERS)
def test_a_word_is_syllables_in_the_schemes_in_which_it_can_be_cut(letters: str) -> None:
    assert syllabic(letters) == schemes_of(letters)


@given(core=CORE)
def test_a_core_opens_as_its_words_do_joined(core: list[str]) -> None:
    found = {(first, second): 0 for first, second, _ in core_openings(core)}
    for first, second, schemes in core_openings(core):
        found[first, second] |= schemes
    expected: dict[tuple[str, str], int] = {}
    for words in range(1, min(len(core), 4) + 1):
        word = "".join(core[:words])
        for cut in range(1, min(MAX_SYLLABLE, len(word)) + 1):
            if cut == len(word):
                ways = {(word, ""): SCHEMES_OF.get(word, 0) if words == len(core) else 0}
            else:
                ways = {
                    (word[:cut], word[cut:end]): SCHEMES_OF.get(word[:cut], 0)
                    & SCHEMES_OF.get(word[cut:end], 0)
                    & schemes_of(word, end)
                    for end in range(cut + 1, min(cut + MAX_SYLLABLE, len(word)) + 1)
                }
            for opening, schemes in ways.items():
                if schemes:
                    expected[opening] = expected.get(opening, 0) | schemes
    assert found == expected
