"""Limits on what crosses the wire, each with its unit and reason."""

from __future__ import annotations

from typing import Final

MAX_PAYLOAD_BYTES: Final = 256 * 1024
"""Largest payload of one entry in bytes: fifty times a rich alert; documents travel as digests."""

MAX_HEADER_BYTES: Final = 256
"""Largest entry header in bytes; one of format 1 has at most 123."""

MAX_FOLLOWS: Final = 2**63 - 1
"""Most entries that an entry may say it follows: the largest tree, and the largest number of the databases."""

SALT_BYTES: Final = 32
"""Length of a salt: as long as the digest, so that a guessed payload can't be confirmed."""

MAX_BATCH_ENTRIES: Final = 1000
"""Most entries that a recipient accepts in one batch; publishers send at most BATCH_ENTRIES."""

BATCH_ENTRIES: Final = 500
"""Entries under one checkpoint and in one batch: past a few hundred the cost per message no longer shows."""

BATCH_BYTES: Final = 3 * 1024 * 1024
"""Bytes of entries under one checkpoint; with one more payload it still fits into MAX_MESSAGE_BYTES."""

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""Most bytes that a recipient accepts in one batch."""

WINDOW_BATCHES: Final = 8
"""Batches on the way without a receipt; bounds memory and hides the partner's commit time."""

MAX_MESSAGE_BYTES: Final = 5 * 1024 * 1024
"""Largest gRPC message in bytes, refused by the transport before parsing: a batch and its frame."""

MAX_STREAM_ITEMS: Final = 500
"""Most items in one message of a client's stream."""

MAX_PAGE_SIZE: Final = 1000
"""Most rows in one page of a list."""

DEFAULT_PAGE_SIZE: Final = 50
"""Rows in a page when the caller doesn't say."""

MAX_CLOCK_SKEW_MS: Final = 5 * 60 * 1000
"""Difference to a partner's clock in milliseconds beyond which an alarm is raised; order never depends on clocks."""

MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
"""Largest record of an answer in bytes, additions merged in: it fits into MAX_MESSAGE_BYTES with its frame."""

ANSWER_MESSAGE_BYTES: Final = 512 * 1024
"""Bytes of records after which a message of an answer ends: small enough that its first is there soon."""

ANSWER_BYTES: Final = 32 * 1024 * 1024
"""Bytes of records after which this software ends an answer and says that there is more: bounds an asker's memory."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of records that an asker takes in one answer: ANSWER_BYTES, and what one step of a search may add."""
