"""Which files are taken, the states that they go through, and how much of one is asked for at once."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.attachments.codec.classes import ALL, needed, text_of, values_of
from gateway.attachments.rules.limits import FileLimits, require_beginning
from gateway.attachments.rules.pieces import LEAST_BYTES, MOST_BYTES, MOST_PAUSE_S, PieceSize, pause_s
from gateway.attachments.rules.states import FileStep, StoredState, after
from gateway.errors import FileRefusedError, FileStoreFullError, IllegalTransitionError
from gateway.trust.rules.directory import FieldClass
from gateway.v1.options_pb2 import DisclosureClass

LIMITS = FileLimits(max_file_bytes=100, max_total_bytes=250, media_types=frozenset({"image/png"}), retention_ms=1)


def test_size_type_and_room() -> None:
    LIMITS.require_taken(media_type="image/png", size=100)
    LIMITS.require_room(150, 100)
    with pytest.raises(FileRefusedError, match="at most 100 bytes"):
        LIMITS.require_taken(media_type="image/png", size=101)
    for wrong in ("text/html", "IMAGE/PNG", "image/png; charset=x", ""):
        with pytest.raises(FileRefusedError, match="aren't taken"):
            LIMITS.require_taken(media_type=wrong, size=1)
    with pytest.raises(FileStoreFullError):
        LIMITS.require_room(151, 100)


@pytest.mark.parametrize(
    ("media_type", "head", "fits"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n", True),
        ("image/png", b"\xff\xd8\xff", False),
        ("image/jpeg", b"<svg onload=", False),
        ("image/tiff", b"MM\x00*", True),
        ("application/pdf", b"%PDF-1.7", True),
        ("application/pdf", b"", False),
        ("text/plain", b"MZ", True),  # types without a beginning of their own: never shown, a download
    ],
)
def test_a_file_begins_as_its_type_does(media_type: str, head: bytes, fits: bool) -> None:
    if fits:
        require_beginning(media_type, head)
    else:
        with pytest.raises(FileRefusedError):
            require_beginning(media_type, head)


def test_only_listed_steps_are_possible() -> None:
    possible = set()
    for state, step in product(StoredState, FileStep):
        try:
            possible.add((state, step, after(state, step)))
        except IllegalTransitionError:
            continue
    assert len(possible) == 7
    assert {state for state, step, _ in possible if step is FileStep.FOUND_CLEAN} == {StoredState.UNSCANNED}
    assert not any(
        following is StoredState.CLEAN for state, _, following in possible if state is StoredState.QUARANTINED
    )


@given(st.lists(st.floats(0, 10), max_size=60))
def test_a_piece_stays_within_its_bounds(seconds: list[float]) -> None:
    piece = PieceSize()
    for took_s in seconds:
        piece = piece.after(took_s)
        assert LEAST_BYTES <= piece.size <= MOST_BYTES
        assert 0 <= pause_s(took_s) <= MOST_PAUSE_S


@pytest.mark.parametrize("bytes_per_s", [8_000, 32_000, 250_000, 10_000_000])
def test_a_piece_settles_at_what_the_line_carries_in_a_moment(bytes_per_s: int) -> None:
    piece = PieceSize()
    for _ in range(40):
        piece = piece.after(piece.size / bytes_per_s)
    assert piece.size / bytes_per_s <= 0.26
    assert piece.size == MOST_BYTES or piece.size / bytes_per_s >= 0.05


def test_a_file_that_says_nothing_needs_every_class() -> None:
    assert needed() == needed("") == needed("PERSONAL", "") == ALL
    assert needed("PERSONAL", "COMMERCIAL PERSONAL") == {FieldClass.PERSONAL, FieldClass.COMMERCIAL}
    assert text_of([99]) == text_of([1, 99]) == " ".join(sorted(ALL))  # of a newer contract: as if it were all
    assert values_of(text_of([DisclosureClass.DISCLOSURE_CLASS_PERSONAL])) == [1]
