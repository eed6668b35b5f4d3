"""Limits on the wire, with reasons."""

from __future__ import annotations

from typing import Final

MAX_PAYLOAD_BYTES: Final = 256 * 1024
"""Largest payload in bytes: fifty times a rich alert; documents travel as digests."""

MAX_HEADER_BYTES: Final = 256
"""Largest header in bytes; format 2 needs at most 243."""

MAX_FOLLOWS: Final = 2**63 - 1
"""Most preceding entries: the largest tree and database integer."""

SALT_BYTES: Final = 32
"""Bytes of a salt: as long as the digest, so that a guessed payload can't be confirmed."""

MAX_BATCH_ENTRIES: Final = 1000
"""Most entries accepted in a batch; publishers send BATCH_ENTRIES."""

BATCH_ENTRIES: Final = 500
"""Entries in a batch and under a checkpoint: more wouldn't save time."""

BATCH_BYTES: Final = 3 * 1024 * 1024
"""Bytes of entries under a checkpoint; one more payload still fits into MAX_MESSAGE_BYTES."""

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""Most bytes accepted in one batch."""

WINDOW_BATCHES: Final = 8
"""Batches sent ahead of receipts; bounds memory and hides the partner's commit time."""

MAX_MESSAGE_BYTES: Final = 5 * 1024 * 1024
"""Largest gRPC message in bytes, refused before parsing: a batch and its frame."""

MAX_STREAM_ITEMS: Final = 500
"""Most items in one message of a client's stream."""

MAX_PAGE_SIZE: Final = 1000
"""Most rows in a page."""

DEFAULT_PAGE_SIZE: Final = 50
"""Default rows in a page."""

MAX_CLOCK_SKEW_MS: Final = 5 * 60 * 1000
"""Clock difference in milliseconds that raises an alarm; order never depends on clocks."""

MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
"""Largest record of an answer in bytes, with additions; fits into MAX_MESSAGE_BYTES."""

ANSWER_MESSAGE_BYTES: Final = 512 * 1024
"""Bytes of records that end an answer's message, so that the first arrives soon."""

ANSWER_BYTES: Final = 32 * 1024 * 1024
"""Bytes of records that end an answer with more to come: bounds the client's memory."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Most bytes a client accepts in an answer: ANSWER_BYTES plus one search step."""
