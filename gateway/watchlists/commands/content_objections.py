"""Objects to contents of own entries beyond the contract's rules: partners, agreements, times, size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.contract.messages import to_ms
from gateway.errors import GatewayError, InvalidRequestError, Violation
from gateway.feed.service.writing.transaction import Clock
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import events as wire


class ContentObjections:
    """Objections to several contents, in order. Thread-safe."""

    def __init__(self, *, node: str, directory: Callable[[], Directory], agreements: Agreements, clock: Clock) -> None:
        self._node = node
        self._directory = directory
        self._agreements = agreements
        self._clock = clock

    def __call__(self, contents: Iterable[watchlist_pb2.WatchlistContent], prefix: str) -> Iterator[list[Violation]]:
        """The violations of each content, with paths after `prefix`.

        Partners who may have every field are asked about once for each purpose.
        """
        now = self._clock()
        unrestricted: dict[tuple[str, str], bool] = {}
        for content in contents:
            problems = _of_size(content, prefix)
            if content.HasField("valid_until"):
                problems += _of_validity(content, prefix, now)
            purpose = content.purpose
            for partner in content.releasable_to:
                key = (partner, purpose)
                if key not in unrestricted:
                    unrestricted[key] = self._is_unrestricted(partner, purpose, now)
                if not unrestricted[key]:
                    problems += self._of_partner(content, partner, prefix, now)
            yield problems

    def _is_unrestricted(self, partner: str, purpose: str, now: int) -> bool:
        """Whether a node is a partner who may have every field of an entry for this purpose."""
        return (
            partner != self._node
            and partner in self._directory().nodes
            and self._agreements.unrestricted(
                sender=self._node, recipient=partner, purpose=purpose, at_ms=now, message_type=wire.EVENT_TYPE
            )
        )

    def _of_partner(
        self, content: watchlist_pb2.WatchlistContent, partner: str, prefix: str, now: int
    ) -> list[Violation]:
        nodes = self._directory().nodes
        if partner == self._node or partner not in nodes:
            known = ", ".join(sorted(set(nodes) - {self._node}))
            why = self._directory().why_no_member(partner) or f"{partner!r} isn't a partner"
            text = f"{why}; partners are: {known}"
            return [Violation(f"{prefix}releasable_to", "recipient.known", text)]
        try:
            self._agreements.require(
                content,
                sender=self._node,
                recipient=partner,
                purpose=content.purpose,
                at_ms=now,
                prefix=prefix,
                message_type=wire.EVENT_TYPE,
            )
        except InvalidRequestError as error:
            return list(error.violations)
        except GatewayError as error:
            return [Violation(f"{prefix}releasable_to", error.reason, error.message)]
        return []


def _of_size(content: watchlist_pb2.WatchlistContent, prefix: str) -> list[Violation]:
    size = content.ByteSize()
    if size <= wire.MAX_CONTENT_BYTES:
        return []
    text = f"has {size} bytes; at most {wire.MAX_CONTENT_BYTES} are allowed"
    return [Violation(prefix.rstrip("."), "content.size", text)]


def _of_validity(content: watchlist_pb2.WatchlistContent, prefix: str, now: int) -> list[Violation]:
    until = to_ms(content.valid_until)
    if until > now and not (content.HasField("valid_from") and until <= to_ms(content.valid_from)):
        return []
    return [Violation(f"{prefix}valid_until", "valid_until.range", "must lie in the future and after valid_from")]
