"""What watchers are told without reading: all that was projected, in order, or nothing."""

from __future__ import annotations

from gateway.feed.rpc.recent_changes import MOST_KEPT_BYTES, MOST_PAGES, RecentChanges
from gateway.feed.service.writing.commits import Commit
from gateway.feed.service.writing.transaction import ProjectedPage


def page(after: int, *changes: str, until: int = 0) -> Commit:
    """A commit that projected entries of which some are changes."""
    return Commit(page=ProjectedPage(after, until or after + len(changes), list(changes)))


def told(*commits: Commit) -> RecentChanges:
    recent = RecentChanges()
    for commit in commits:
        recent.committed(commit)
    return recent


def test_pages_without_a_gap_are_told_together() -> None:
    recent = told(page(4, "five"), page(5, until=6), page(6, "seven", "eight"))
    assert recent.after(4) == (["five", "seven", "eight"], 8)
    assert recent.after(5) == (["seven", "eight"], 8)
    assert recent.after(6) == (["seven", "eight"], 8)
    assert recent.after(8) == ([], 8), "up to date, as a reader would find"


def test_positions_before_and_within_a_page_are_read() -> None:
    recent = told(page(4, "five", "six"))
    assert [recent.after(position) for position in (0, 3, 5, 9)] == [None] * 4
    assert RecentChanges().after(0) is None


def test_after_a_gap_only_what_follows_it_is_told() -> None:
    recent = told(page(4, "five"), page(7, "eight"))
    assert recent.after(4) is None
    assert recent.after(7) == (["eight"], 8)


def test_what_was_read_to_be_projected_and_other_replicas_commits_are_read() -> None:
    read = Commit(page=ProjectedPage(5, 6, ["six"], is_whole=False))
    for other in (read, Commit()):
        assert told(page(4, "five"), other).after(4) is None


def test_a_commit_that_projects_nothing_changes_nothing() -> None:
    recent = told(page(4, "five"), Commit(page=ProjectedPage()))
    assert recent.after(4) == (["five"], 5)
    recent.forget()
    assert recent.after(4) is None


def test_few_commits_are_kept() -> None:
    recent = told(*(page(position, str(position + 1)) for position in range(MOST_PAGES + 1)))
    assert recent.after(0) is None
    assert recent.after(1) is not None


def test_few_bytes_are_kept() -> None:
    half = [Commit(page=ProjectedPage(at, at + 1, [str(at)], size_bytes=MOST_KEPT_BYTES // 2)) for at in range(3)]
    recent = told(*half)
    assert recent.after(0) is None
    assert recent.after(1) == (["1", "2"], 3)
    recent.committed(Commit(page=ProjectedPage(3, 4, ["3"], size_bytes=MOST_KEPT_BYTES + 1)))
    assert recent.after(3) is None
    recent.committed(page(4, "4"))
    assert recent.after(4) == (["4"], 5)
