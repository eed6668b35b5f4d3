"""Measures proofs that answers are complete: what the tree of keys costs to build, a proof's bytes and time.

    python -m bench.proofs [--size RECORDS] [--dir FOLDER] [--json FILE]

Records of bench/shipment_records.py are entered by the product's own services into a tree on SQLite, from a table of
records that was filled before; then some numbers are proven, of which half have records, and their proofs verified.
Times are processor time.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import func, select

from bench import shipment_records as made
from bench.history_fill import NodeSigners, NoProjector, fill
from bench.results import Figures, show, write
from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.feed.service.writing.writer import Writer
from gateway.history.commands.key_tree import KeepKeyTreeCommand
from gateway.history.commands.record import records_feed
from gateway.history.rules.provable_numbers import provable_keys
from gateway.history.service.completeness import CompletenessProver, verify_completeness
from gateway.history.service.key_tree_builder import KeyTreeBuilder
from gateway.history.tables.schema import key_tree_leaves
from gateway.trust.pki.keys import Ed25519Signer, create_signing_key
from gateway.trust.rules.directory import FieldClass
from gateway.trust.service.audit_queue import AuditQueue
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import history_pb2

NODE = "hk"
PROVEN = 200
"""Numbers that are proven."""


def _clock() -> int:
    return time.time_ns() // 1_000_000


def _build(database: Database, signers: NodeSigners, figures: Figures) -> None:
    """Enters all records, batch by batch, as the worker process and the writer do."""
    writer = Writer(
        database,
        own_node=NODE,
        signers=signers,
        clock=_clock,
        audit_queue=AuditQueue(),
        projector=NoProjector(),
    )
    writer.start()
    builder, origin = KeyTreeBuilder(database), records_feed(FEDERATION, NODE)
    bytes_before, preparing_s, writing_s, entered = database.size_bytes(), 0.0, 0.0, 0
    try:
        while True:
            began = time.process_time()
            batch = builder.next()
            prepared = time.process_time()
            if batch is None:
                break
            assert writer.run(KeepKeyTreeCommand(origin, batch))
            preparing_s += prepared - began
            writing_s += time.process_time() - prepared
            entered = batch.after.position
    finally:
        writer.stop()
    figures.note("entering a record: worker process", "µs", preparing_s / entered * 1e6)
    figures.note("entering a record: writer", "µs", writing_s / entered * 1e6)
    figures.note("stored for a record", "bytes", (database.size_bytes() - bytes_before) / entered)
    figures.note("memory at most", "MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    with database.read() as conn:
        leaves = conn.execute(select(func.count()).select_from(key_tree_leaves)).scalar_one()
    figures.note("numbers in the tree", "", leaves)


def _prove(database: Database, key: Ed25519Signer, size: int, figures: Figures) -> None:
    prover = CompletenessProver(database, federation=FEDERATION, node=NODE, signer_for=key.named, clock=_clock)
    number = prover.head_number()
    for at in range(PROVEN):
        present = not at % 2
        record = at * (size // PROVEN) if present else size + at
        criteria = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=made.ucr(record))])
        query = history_pb2.HistoryQuery(
            federation=FEDERATION, asker="cn", answerer=NODE, criteria=criteria, asked_at=to_timestamp(_clock())
        )
        keys = provable_keys([criteria], frozenset(FieldClass))
        told = [made.shipment(record, node=NODE).record_id] if present else []
        began = time.process_time()
        proof = prover.prove(number, keys, told)
        proven = time.process_time()
        assert proof is not None
        completeness = verify_completeness(
            proof, query, keys=keys, record_ids=told, log_keys=[key.public_key], now_ms=_clock()
        )
        verified = time.process_time()
        assert completeness is not None
        assert completeness.untold == 0
        what = "presence" if present else "absence"
        figures.note(f"proof of {what}", "bytes", proof.ByteSize())
        figures.note(f"proving {what}", "ms", (proven - began) * 1e3)
        figures.note(f"verifying {what}", "ms", (verified - proven) * 1e3)
        figures.note("keys of a number", "", len(keys))


def main(
    size: Annotated[int, typer.Option(help="Records.")] = 50_000,
    dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for all figures.")] = None,
) -> None:
    """Takes its arguments from the command line."""
    figures = Figures()
    with tempfile.TemporaryDirectory(dir=dir) as folder:
        path, url = Path(folder) / "log.key", f"sqlite:///{folder}/proofs.sqlite3"
        key = create_signing_key(path, name=f"{FEDERATION}/{NODE}")
        fill(url, path, NODE, size)
        database = Database(url)
        try:
            _build(database, NodeSigners(path, key.name), figures)
            _prove(database, key, size, figures)
        finally:
            database.close()
    show(figures, f"Proofs over {size:,} records")
    write(json, figures, command="python -m bench.proofs")


if __name__ == "__main__":
    typer.run(main)
