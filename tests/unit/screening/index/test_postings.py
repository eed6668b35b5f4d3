from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.screening.index import postings as postings_module
from gateway.screening.index.candidates import key_ranges
from gateway.screening.index.columns import ROW_BITS
from gateway.screening.index.key_numbers import KEY_BITS, OTHER_SIDE
from gateway.screening.index.postings import Postings

KEY = st.integers(0, (1 << KEY_BITS) - 1) | st.integers(0, 300)


@pytest.mark.parametrize("flagged", [0, 1 << 18])
@given(held=st.sets(KEY, max_size=40), sought=st.sets(KEY, max_size=40))
def test_the_filter_loses_no_key_and_keeps_their_order(flagged: int, held: set[int], sought: set[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings_module, "_MOST_FLAGGED", flagged)
        postings = Postings(array("Q", sorted(key << ROW_BITS for key in held)))
    keys = list(sought)
    left = postings.may_hold(keys)
    assert left == [key for key in keys if key in set(left)]
    assert all(key in left for key in keys if key in held or key ^ OTHER_SIDE in held)
    for low in (False, True):
        assert postings.spans_by_group(key_ranges(left, low)) == postings.spans_by_group(key_ranges(keys, low))
