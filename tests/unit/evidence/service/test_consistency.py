"""Old evidence against the feed of today: what extends it is proved, what rewrites it isn't."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, InvalidRequestError, NotFoundError, ProofInvalidError, VerificationError
from gateway.evidence.codec.bundle import Bundle
from gateway.evidence.service.consistency import prove_consistency, verify_extension
from gateway.evidence.service.export import export
from gateway.feed.tables import feeds
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint
from gateway.tlog.consistency_file import ConsistencyProof
from gateway.tlog.note import sign_note
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import directory_key_name
from gateway.trust.service.trial_federation import FEDERATION
from tests.support import merkle_oracle
from tests.support.databases import new_database
from tests.support.nodes import NODES, START, PaperNode, exchange, paper_nodes

OLD, NEW = 3, 6


@dataclass
class Case:
    """Evidence of the third of cn's alerts to hk, and three more since."""

    folder: Path
    cn: PaperNode
    hk: PaperNode
    bundle: Bundle

    @property
    def origin(self) -> str:
        return self.cn.origin("hk").line

    def leaves(self) -> list[bytes]:
        with self.cn.database.read() as conn:
            feed = feeds.get(conn, self.cn.origin("hk"))
            return [sha256(b"\x00" + header).digest() for header in feeds.read_headers(conn, feed.id, 0, feed.size)]

    def signed(self, leaves: Sequence[bytes], old: int = OLD) -> bytes:
        """A proof with a checkpoint of cn's own key over these leaves."""
        head = Checkpoint(self.origin, len(leaves), merkle_oracle.root(leaves))
        key = self.cn.signers.for_feed(self.cn.origin("hk"))
        hashes = merkle_oracle.consistency(old, leaves) if old < len(leaves) else []
        return ConsistencyProof(old, tuple(hashes), sign_checkpoint(head, key)).encode()

    def verify(self, proof: bytes) -> tuple[int, int]:
        extension = verify_extension(self.bundle, proof, directory_note=self.cn.trust.note)
        return extension.older.size, extension.newer.size


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("case")
    numbers = iter(range(9))
    with paper_nodes(folder, lambda: new_database(f"sqlite:///{folder}/{next(numbers)}.sqlite3")) as (cn, hk):
        for _ in range(OLD):
            alert_id = cn.publish("hk")
        exchange(cn, hk)
        bundle = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle
        for _ in range(NEW - OLD):
            cn.publish("hk")
        exchange(cn, hk)
        yield Case(folder, cn, hk, bundle)
    cn.database.close()
    hk.database.close()


def test_either_party_proves_that_the_feed_extends_the_evidence(case: Case) -> None:
    for node in (case.cn, case.hk):
        assert case.verify(prove_consistency(node.database, case.origin, OLD).encode()) == (OLD, NEW)


def test_a_feed_that_was_rewritten_has_no_proof(case: Case) -> None:
    leaves = case.leaves()
    assert case.verify(case.signed(leaves)) == (OLD, NEW)
    for changed in range(OLD):
        other = [*leaves[:changed], sha256(b"another").digest(), *leaves[changed + 1 :]]
        with pytest.raises(ProofInvalidError):
            case.verify(case.signed(other))
    with pytest.raises(ProofInvalidError, match="a log can't go from 3 to 2"):
        case.verify(case.signed(leaves[:2]))  # cut
    with pytest.raises(ProofInvalidError, match="starts at 2 entries"):
        case.verify(case.signed(leaves, old=2))


def test_a_revoked_key_vouches_for_nothing_newer(case: Case) -> None:
    directory = case.cn.trust.directory
    node = directory.nodes["cn"]
    # revoked after the receipt: the evidence still stands, a newer checkpoint by that key doesn't
    keys = tuple(replace(record, revoked_at=START.replace(year=START.year + 1)) for record in node.log_keys)
    changed = replace(
        directory, version=directory.version + 1, nodes={**directory.nodes, "cn": replace(node, log_keys=keys)}
    )
    offline = case.folder / "federation" / "offline"
    signers = [
        load_signing_key(offline / name / "directory.pem", name=directory_key_name(FEDERATION, name)) for name in NODES
    ]
    note = sign_note(encode_directory(changed), signers)
    with pytest.raises(VerificationError, match="no known log key has signed the newer checkpoint"):
        verify_extension(case.bundle, case.signed(case.leaves()), directory_note=note)


def test_damaged_evidence_proves_nothing(case: Case) -> None:
    files = {**case.bundle.files, "salt.bin": bytes(32)}
    with pytest.raises(VerificationError):
        verify_extension(Bundle(files), case.signed(case.leaves()), directory_note=case.cn.trust.note)
    with pytest.raises(ConfigurationError):
        verify_extension(case.bundle, case.signed(case.leaves()))


def test_what_a_node_does_not_have_it_can_not_prove(case: Case) -> None:
    for origin, size in (("nonsense", 1), (case.origin, 10**6)):
        with pytest.raises(InvalidRequestError):
            prove_consistency(case.cn.database, origin, size)
    with pytest.raises(NotFoundError):
        prove_consistency(case.cn.database, case.cn.origin("mo").line, 0)
