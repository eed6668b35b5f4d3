"""COSE receipts of a node's own feeds: exported, verified, and refused where something is another's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, InvalidRequestError, NotFoundError, StoreUnavailableError
from gateway.evidence.codec.bundle import DIRECTORY, HEADER, Bundle
from gateway.evidence.service.cose_check import examine_cose_receipt, is_cose_receipt
from gateway.evidence.service.cose_export import RECEIPT, CoseReceiptExport
from gateway.evidence.service.export import export
from gateway.tlog.cose_receipt import parse_cose_receipt
from gateway.tlog.note import sign_note
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import KeyRecord, directory_key_name
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.cose import cose_receipts
from tests.support.databases import new_database
from tests.support.nodes import NODES, START, PaperNode, exchange, paper_nodes


@dataclass
class Case:
    """Five of cn's alerts to hk."""

    folder: Path
    cn: PaperNode
    hk: PaperNode
    alert_ids: list[str]

    def bundle(self, number: int = 2) -> Bundle:
        return cose_receipts(self.cn).of_alert("cn", self.alert_ids[number])

    def refusal(self, bundle: Bundle, note: bytes = b"") -> tuple[str, str]:
        """The step that fails, and why."""
        examination = examine_cose_receipt(bundle, directory_note=note or self.cn.trust.note)
        assert examination.evidence is None
        return examination.steps[-1].name, examination.steps[-1].detail

    def note_with(self, **changes: object) -> bytes:
        """A later version of the directory whose record of cn's log key is changed."""
        directory = self.cn.trust.directory
        node = directory.nodes["cn"]
        keys: tuple[KeyRecord, ...] = tuple(replace(record, **changes) for record in node.log_keys)  # type: ignore[arg-type]
        nodes = {**directory.nodes, "cn": replace(node, log_keys=keys)}
        offline = self.folder / "federation" / "offline"
        signers = [
            load_signing_key(offline / name / "directory.pem", name=directory_key_name(FEDERATION, name))
            for name in NODES
        ]
        return sign_note(encode_directory(replace(directory, version=directory.version + 1, nodes=nodes)), signers)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("case")
    numbers = iter(range(9))
    with paper_nodes(folder, lambda: new_database(f"sqlite:///{folder}/{next(numbers)}.sqlite3")) as (cn, hk):
        alert_ids = [cn.publish("hk") for _ in range(5)]
        exchange(cn, hk)
        yield Case(folder, cn, hk, alert_ids)
    cn.database.close()
    hk.database.close()


def test_a_receipt_proves_an_alerts_entry(case: Case) -> None:
    bundle = case.bundle()
    assert is_cose_receipt(bundle)
    proved = examine_cose_receipt(bundle, directory_note=case.cn.trust.note).evidence
    assert proved is not None
    assert (proved.origin, proved.receipt.index, proved.receipt.size) == (case.cn.origin("hk"), 2, 5)
    assert proved.header.type == "AlertEvent"
    assert "cn has signed that entry 2" in proved.told
    # the evidence of the alert, exported at the partner, has the same header
    evidence = export(case.hk.database, case.hk.trust, publisher="cn", alert_id=case.alert_ids[2]).bundle
    assert evidence.files[HEADER] == bundle.files[HEADER]


def test_an_entry_is_named_by_feed_and_number_too(case: Case) -> None:
    bundle = cose_receipts(case.cn).of_entry(case.cn.origin("hk").line, 4)
    assert bundle.files[HEADER] == case.bundle(4).files[HEADER]
    assert parse_cose_receipt(bundle.files[RECEIPT]).index == 4


def test_what_is_not_this_nodes_is_not_signed(case: Case) -> None:
    origin = case.cn.origin("hk").line
    with pytest.raises(InvalidRequestError, match="only cn can sign"):
        cose_receipts(case.hk).of_entry(origin, 0)
    with pytest.raises(InvalidRequestError, match="only cn can sign"):
        cose_receipts(case.hk).of_alert("cn", case.alert_ids[0])
    receipts = cose_receipts(case.cn)
    with pytest.raises(InvalidRequestError, match="none is 5"):
        receipts.of_entry(origin, 5)
    with pytest.raises(InvalidRequestError, match="origin"):
        receipts.of_entry("nonsense", 0)
    with pytest.raises(NotFoundError):
        receipts.of_entry(case.cn.origin("mo").line, 0)
    with pytest.raises(NotFoundError):
        receipts.of_alert("cn", "019bbf30-0000-7000-8000-000000000000")


def test_a_head_that_may_not_leave_is_not_signed(case: Case) -> None:
    def refuse() -> None:
        raise StoreUnavailableError("the marks are behind")

    class NoSigners:
        def for_feed(self, origin: object) -> None:
            pytest.fail("signed before the head may leave")

    receipts = CoseReceiptExport(
        case.cn.database,
        node="cn",
        trust=lambda: case.cn.trust,
        signers=NoSigners(),  # type: ignore[arg-type]
        release_heads=refuse,
        clock=case.cn.clock,
    )
    with pytest.raises(StoreUnavailableError):
        receipts.of_alert("cn", case.alert_ids[0])


def test_changed_files_prove_nothing(case: Case) -> None:
    files = dict(case.bundle().files)
    assert case.refusal(Bundle({**files, HEADER: case.bundle(1).files[HEADER]}))[0] == "inclusion"
    assert case.refusal(Bundle({**files, HEADER: b"nonsense"}))[0] == "header"
    assert case.refusal(Bundle({**files, RECEIPT: files[RECEIPT] + b"\0"}))[0] == "receipt"
    assert case.refusal(Bundle({**files, "salt.bin": b""}))[0] == "files"
    assert case.refusal(Bundle({RECEIPT: files[RECEIPT], DIRECTORY: files[DIRECTORY]}))[0] == "files"
    receipt = parse_cose_receipt(files[RECEIPT])
    for changes, step in (
        ({"issuer": "gba.customs.example/hk"}, "receipt"),
        ({"origin": "other.example/cn/hk/alerts"}, "receipt"),
        ({"origin": case.cn.origin("mo").line}, "key"),
        ({"key_id": bytes(4)}, "key"),
        ({"signed_at": 1}, "key"),
        ({"signature": bytes(64)}, "inclusion"),
    ):
        forged = replace(receipt, **changes).encode()  # type: ignore[arg-type]
        assert case.refusal(Bundle({**files, RECEIPT: forged}))[0] == step
    with pytest.raises(ConfigurationError):
        examine_cose_receipt(case.bundle())


def test_a_key_counts_for_the_time_of_the_receipt_alone(case: Case) -> None:
    bundle, year = case.bundle(), timedelta(days=365)
    assert examine_cose_receipt(bundle, directory_note=case.note_with(not_after=START + year)).evidence is not None
    for changes in ({"revoked_at": START + year}, {"not_before": START + year}, {"not_after": START}):
        step, why = case.refusal(bundle, case.note_with(**changes))
        assert step == "key"
        assert "wasn't valid" in why
