"""Evidence files between real gateways: uploaded, named in alerts, asked for, fetched, passed on or not, and erased."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client import FileAbout, GatewayClient, evidence_of
from gateway.errors import (
    AgreementForbidsError,
    ErasedError,
    FileHeldError,
    FileNotReadyError,
    FileRefusedError,
    IllegalTransitionError,
    InvalidRequestError,
    LinkSuspendedError,
    NotFoundError,
    PermissionDeniedError,
)
from gateway.v1 import alert_pb2
from gateway.v1.file_pb2 import FileState
from gateway.v1.history_pb2 import SearchCriteria
from gateway.v1.options_pb2 import DisclosureClass
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.files import GROUNDS, KEPT, about, came, digest, in_state, picture, published, read, signed, written

HERE, FETCHING = FileState.FILE_STATE_HERE, FileState.FILE_STATE_FETCHING


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Federation]:
    """Three nodes that keep files."""
    yield from with_logs(tmp_path, settings=KEPT)


def test_a_picture_goes_from_an_alert_to_the_officer_who_asked_for_it(keeping: Federation, tmp_path: Path) -> None:
    keeping.start("cn", "hk")
    content = picture(3_000_000)

    async def run() -> None:
        async with (
            keeping.client("cn", "publisher") as risk,
            keeping.client("cn", "auditor") as cn_auditor,
            keeping.client("hk", "officer") as desk,
            keeping.client("hk", "auditor") as hk_auditor,
        ):
            stored = await risk.files.put(
                written(tmp_path, content), about(file_name="x-ray 1.jpg", description="Container from the side")
            )
            assert (stored.state, stored.evidence.size_bytes, list(stored.obtained_from)) == (HERE, len(content), [])
            reference = await published(risk, [evidence_of(stored)])
            await came(desk, reference)

            (named,) = await desk.files.of_alert(reference)
            assert named.file.state == FileState.FILE_STATE_AT_PARTNER
            assert named.file.evidence.file_name == "x-ray 1.jpg"
            assert [(one.event, one.speaker) for one in named.mentions] == [("published", "cn")]
            with pytest.raises(FileNotReadyError):
                await read(desk, digest(content))

            asked = await desk.files.request(
                digest(content), reference, purpose="export_control", case_reference="HK-7"
            )
            assert asked.state in (FETCHING, HERE)
            file = await in_state(desk, digest(content), HERE)
            assert list(file.obtained_from) == ["cn"]
            assert await read(desk, digest(content)) == content

            (given,) = (await risk.files.get(digest(content))).given_to
            assert (given.node, given.purpose, given.case_reference) == ("hk", "export_control", "HK-7")
            await told_of(cn_auditor, "/gateway.v1.ExchangeService/FetchFile", "HK-7", digest(content))
            await told_of(hk_auditor, "/gateway.v1.FileService/RequestFile", "HK-7", digest(content))
            await told_of(hk_auditor, "fetch_file", "HK-7", digest(content))

    keeping.run(run())


async def told_of(auditor: object, method: str, case: str, sha: bytes) -> None:
    async def there() -> bool:
        events = [event async for event in auditor.evidence.audit_events(filter=f"method = {method}")]  # type: ignore[attr-defined]
        return any(
            event.case_reference == case and event.purpose == "export_control" and sha.hex() in str(event.details)
            for event in events
        )

    await eventually(there, within_s=20, what=f"{method} in the audit log")


def test_an_alert_never_waits_for_a_file(keeping: Federation, tmp_path: Path) -> None:
    """The digest is named first, asked for before its bytes are there, and comes when they are."""
    keeping.start("cn", "hk")
    content = picture()

    async def run() -> None:
        async with keeping.client("cn", "publisher") as risk, keeping.client("hk", "officer") as desk:
            reference = await published(risk, [signed(content)])
            (own,) = await risk.files.of_alert(reference)
            assert own.file.state == FileState.FILE_STATE_MISSING
            await came(desk, reference)
            await desk.files.request(digest(content), reference, **GROUNDS)

            async def waits() -> bool:
                file = await desk.files.get(digest(content))
                return file.state == FETCHING and "isn't uploaded yet" in file.reason

            await eventually(waits, what="the reason for the wait")
            stored = await risk.files.put(written(tmp_path, content), about())
            assert stored.state == HERE
            await in_state(desk, digest(content), HERE, within_s=90)

    keeping.run(run())


def test_a_finding_and_an_answer_carry_files_back(keeping: Federation, tmp_path: Path) -> None:
    keeping.start("cn", "hk")
    found, told = picture(seed=2), picture(seed=3)

    async def run() -> None:
        async with (
            keeping.client("cn", "publisher") as risk,
            keeping.client("cn", "officer") as cn,
            keeping.client("hk", "officer") as hk,
        ):
            reference = await published(risk, [])
            await came(hk, reference)
            finding = alert_pb2.AlertFinding(
                alert=reference,
                result=alert_pb2.FINDING_RESULT_CONFIRMED,
                evidence=[evidence_of(await hk.files.put(written(tmp_path, found), about()), "Opened container")],
            )
            finding.inspected_at.GetCurrentTime()
            await hk.report_finding(finding)
            asked = await cn.ask(
                reference, "A picture of the seal?", deadline=datetime.now(UTC) + timedelta(days=1), recipient="hk"
            )

            async def is_there() -> bool:
                return any(change.event.HasField("question") for change in (await hk.get_alert(reference)).history)

            await eventually(is_there, what="the question at hk")
            seal = await hk.files.put(written(tmp_path, told), about())
            await hk.answer(reference, asked.question_id, "Here it is.", evidence=[evidence_of(seal)])

            async def both() -> bool:
                return len(await cn.files.of_alert(reference)) == 2

            await eventually(both, what="both files named at cn")
            for content in (found, told):
                await cn.files.request(digest(content), reference, **GROUNDS)
            for content in (found, told):
                await in_state(cn, digest(content), HERE)
                assert await read(cn, digest(content)) == content
            events = {one.mentions[0].event: one.file.evidence for one in await cn.files.of_alert(reference)}
            assert set(events) == {"finding", "answer"}

    keeping.run(run())


def test_a_guessed_digest_tells_nothing(keeping: Federation, tmp_path: Path) -> None:
    """mo knows the digest of a file that was named to hk alone: asked at the peer port, both refusals are the same."""
    keeping.start()
    content, other = picture(seed=4), picture(seed=5)

    async def run() -> None:
        async with (
            keeping.client("cn", "publisher") as risk,
            keeping.client("mo", "officer") as mo,
            keeping.client("hk", "officer") as hk,
        ):
            await risk.files.put(written(tmp_path, content), about())
            to_hk = await published(risk, [signed(content)])
            to_mo = await published(risk, [signed(other)], ("mo",))
            await came(mo, to_mo)
            await came(hk, to_hk)
            with pytest.raises(NotFoundError):
                await mo.files.request(digest(content), to_mo, **GROUNDS)
            with pytest.raises(NotFoundError):
                await mo.files.get(digest(content))
            refusals = [await asked_as_gateway(keeping, "mo", "cn", to_hk, sha) for sha in (digest(content), bytes(32))]
            assert refusals[0] == refusals[1]
            assert refusals[0][0] == "PERMISSION_DENIED"

    keeping.run(run())


async def asked_as_gateway(
    federation: Federation, asker: str, holder: str, reference: alert_pb2.AlertReference, sha: bytes
) -> tuple[str, str]:
    """Reason and message with which a gateway refuses a partner's FetchFile."""
    import grpc.aio

    from gateway.contract.channel_options import channel_options
    from gateway.contract.status import from_failed_call
    from gateway.rpc.listener.tls import channel_credentials
    from gateway.v1 import exchange_service_pb2 as pb
    from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub
    from tests.support.federation import FEDERATION

    own, node = federation[asker].folder, federation[holder]
    credentials = channel_credentials(node.folder.ca.read_bytes(), own.certificate.read_bytes(), own.key.read_bytes())
    options = channel_options(server_name=f"{holder}.{FEDERATION}")
    opening = pb.FileOpening(sha256=sha, alert=reference, **GROUNDS)
    async with grpc.aio.secure_channel(f"127.0.0.1:{node.peer_port}", credentials, options=options) as channel:
        call = ExchangeServiceStub(channel).FetchFile(iter([pb.FetchFileRequest(open=opening)]))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(aiter(call))
    error = from_failed_call(
        refused.value.code().value[0], refused.value.details() or "", refused.value.trailing_metadata() or ()
    )
    return error.reason, error.message


@asynccontextmanager
async def fetching(
    federation: Federation, reference: alert_pb2.AlertReference, sha: bytes
) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """A file of cn that hk's gateway fetches, chunk by chunk: each call asks for the next."""
    import grpc.aio

    from gateway.contract.channel_options import channel_options
    from gateway.contract.status import from_failed_call
    from gateway.rpc.listener.tls import channel_credentials
    from gateway.v1 import exchange_service_pb2 as pb
    from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub
    from tests.support.federation import FEDERATION

    own, node = federation["hk"].folder, federation["cn"]
    credentials = channel_credentials(node.folder.ca.read_bytes(), own.certificate.read_bytes(), own.key.read_bytes())
    options = channel_options(server_name=f"cn.{FEDERATION}")
    async with grpc.aio.secure_channel(f"127.0.0.1:{node.peer_port}", credentials, options=options) as channel:
        call = ExchangeServiceStub(channel).FetchFile()
        await call.write(pb.FetchFileRequest(open=pb.FileOpening(sha256=sha, alert=reference, **GROUNDS)))
        assert (await call.read()).size_bytes

        async def next_chunk() -> bytes:
            await call.write(pb.FetchFileRequest(more_bytes=1_000))
            try:
                return (await call.read()).chunk
            except grpc.aio.AioRpcError as error:
                raise from_failed_call(
                    error.code().value[0], error.details() or "", error.trailing_metadata() or ()
                ) from None

        yield next_chunk


def test_a_file_stops_when_its_feed_is_suspended_and_goes_on_when_it_is_resumed(
    keeping: Federation, tmp_path: Path
) -> None:
    keeping.start("cn", "hk")
    content = picture(seed=21)

    async def run() -> None:
        async with (
            keeping.client("cn", "publisher") as risk,
            keeping.client("cn", "operator") as operator,
            keeping.client("hk", "officer") as desk,
        ):
            reference = await published(risk, [evidence_of(await risk.files.put(written(tmp_path, content), about()))])
            await came(desk, reference)
            async with fetching(keeping, reference, digest(content)) as next_chunk:
                assert await next_chunk() == content[:1_000]
                await operator.node.suspend_link(origin("cn", "hk"), reason="an inquiry")
                with pytest.raises(LinkSuspendedError):
                    await next_chunk()
            await operator.node.resume_link(origin("cn", "hk"))
            async with fetching(keeping, reference, digest(content)) as next_chunk:
                assert await next_chunk() == content[:1_000]

    keeping.run(run())


def test_a_file_stops_when_the_agreement_ends(keeping: Federation, tmp_path: Path) -> None:
    from dataclasses import replace

    keeping.start("cn", "hk")
    content = picture(seed=22)

    async def run() -> None:
        async with keeping.client("cn", "publisher") as risk, keeping.client("hk", "officer") as desk:
            reference = await published(risk, [evidence_of(await risk.files.put(written(tmp_path, content), about()))])
            await came(desk, reference)
            async with fetching(keeping, reference, digest(content)) as next_chunk:
                assert await next_chunk() == content[:1_000]
                old = keeping.directory
                left = tuple(one for one in old.agreements if (one.sender, one.recipient) != ("cn", "hk"))
                keeping.put_directory(replace(old, version=old.version + 1, agreements=left))

                async def refused() -> bool:
                    try:
                        await next_chunk()
                    except AgreementForbidsError:
                        return True
                    return False

                await eventually(refused, every_s=0.5, within_s=20, what="the end of the agreement")

    keeping.run(run())


LISTED, PROHIBITED = alert_pb2.ONWARD_TRANSFER_LISTED, alert_pb2.ONWARD_TRANSFER_PROHIBITED


def handling(transfer: alert_pb2.OnwardTransfer.ValueType, *nodes: str) -> alert_pb2.Handling:
    return alert_pb2.Handling(
        classification=alert_pb2.CLASSIFICATION_OFFICIAL, onward_transfer=transfer, onward_recipients=nodes
    )


async def fetched(
    sender: GatewayClient, reader: GatewayClient, content: bytes, folder: Path, rule: alert_pb2.Handling
) -> alert_pb2.AlertReference:
    """The alert by which a partner let a file be fetched under a rule."""
    await sender.files.put(written(folder, content), about())
    reference = await published(sender, [signed(content)], handling=rule)
    await came(reader, reference)
    await reader.files.request(digest(content), reference, **GROUNDS)
    await in_state(reader, digest(content), HERE)
    return reference


def test_what_a_partner_gave_goes_on_only_where_it_lets_it(keeping: Federation, tmp_path: Path) -> None:
    keeping.start()
    kept, listed = picture(seed=6), picture(seed=7)

    async def run() -> None:
        async with (
            keeping.client("cn", "publisher") as cn,
            keeping.client("hk", "officer") as hk,
            keeping.client("hk", "publisher") as hk_risk,
            keeping.client("mo", "officer") as mo,
            keeping.client("mo", "publisher") as mo_risk,
        ):
            of_kept = await fetched(cn, hk, kept, tmp_path, handling(PROHIBITED))
            # uploaded again by hk, it is still cn's
            again = await hk_risk.files.put(written(tmp_path, kept), about())
            assert list(again.obtained_from) == ["cn"]
            with pytest.raises(PermissionDeniedError) as refused:
                await published(hk_risk, [signed(kept)], ("mo",))
            assert "content.evidence[0]: the file is from cn, without leave to name it to mo" in refused.value.message
            assert refused.value.metadata["field"] == "content.evidence[0]"
            assert f"ask cn for consent with a question on alert {of_kept.alert_id}" in refused.value.message
            assert "gateway alert ask … --pass-on-to NODE" in refused.value.way_out
            (to_mo,) = (await hk_risk.preview(alert(evidence=[signed(kept)]), ["mo"])).recipients
            assert (to_mo.allowed, "from cn" in to_mo.refusal) == (False, True)
            await published(hk_risk, [signed(kept)], ("cn",))  # back to its source

            named_by_mo = await published(mo_risk, [])
            await came(hk, named_by_mo)
            finding = alert_pb2.AlertFinding(
                alert=named_by_mo, result=alert_pb2.FINDING_RESULT_CONFIRMED, evidence=[signed(listed), signed(kept)]
            )
            finding.inspected_at.GetCurrentTime()
            with pytest.raises(PermissionDeniedError, match=r"finding\.evidence\[1\]: the file is from cn"):
                await hk.report_finding(finding)

            of_listed = await fetched(cn, hk, listed, tmp_path, handling(LISTED, "mo"))
            wide = handling(alert_pb2.ONWARD_TRANSFER_FEDERATION)
            with pytest.raises(PermissionDeniedError, match="it allows more than cn does"):
                await published(hk_risk, [signed(listed)], ("mo",), handling=wide)
            onward = await published(hk_risk, [signed(listed)], ("mo",), handling=handling(PROHIBITED))
            await came(mo, onward)
            await mo.files.request(digest(listed), onward, **GROUNDS)
            await in_state(mo, digest(listed), HERE)
            assert await read(mo, digest(listed)) == listed
            await hk.report_finding(finding_without_last(finding))
            assert of_listed.alert_id != of_kept.alert_id

    keeping.run(run())


def finding_without_last(finding: alert_pb2.AlertFinding) -> alert_pb2.AlertFinding:
    allowed = alert_pb2.AlertFinding()
    allowed.CopyFrom(finding)
    del allowed.evidence[-1]
    return allowed


def test_a_rule_that_has_changed_counts_when_the_bytes_are_fetched(keeping: Federation, tmp_path: Path) -> None:
    """hk named cn's file to mo while cn allowed it; then cn forbids it."""
    keeping.start()
    content = picture(seed=12)

    async def run() -> None:
        async with (
            keeping.client("cn", "publisher") as cn,
            keeping.client("hk", "officer") as hk,
            keeping.client("hk", "publisher") as hk_risk,
            keeping.client("mo", "officer") as mo,
        ):
            source = await fetched(cn, hk, content, tmp_path, handling(LISTED, "mo"))
            onward = await published(hk_risk, [signed(content)], ("mo",))
            await came(mo, onward)
            forbidden = alert(evidence=[signed(content)], handling=handling(PROHIBITED))
            await cn.amend(source.alert_id, forbidden, revision=1)

            async def amended() -> bool:
                return (await hk.get_alert(source)).alert.revision == 2

            await eventually(amended, what="the amendment at hk")
            await mo.files.request(digest(content), onward, **GROUNDS)
            refused = await in_state(mo, digest(content), FileState.FILE_STATE_REFUSED)
            assert "from cn, without leave to pass it on to mo" in refused.reason

    keeping.run(run())


def test_classes_and_agreements_decide(keeping: Federation, tmp_path: Path) -> None:
    """An agreement without personal data lets a picture of goods go, and neither a passport nor what says nothing."""
    from dataclasses import replace

    from gateway.trust.rules.directory import FieldClass

    old = keeping.directory
    changed = tuple(
        replace(one, field_classes=frozenset({FieldClass.INVESTIGATIVE, FieldClass.COMMERCIAL}))
        if (one.sender, one.recipient) == ("cn", "hk")
        else one
        for one in old.agreements
    )
    keeping.put_directory(replace(old, version=old.version + 1, agreements=changed))
    keeping.start("cn", "hk")
    goods, passport, unsaid = picture(seed=8), picture(seed=9), picture(seed=10)
    investigative, personal = DisclosureClass.DISCLOSURE_CLASS_INVESTIGATIVE, DisclosureClass.DISCLOSURE_CLASS_PERSONAL

    async def run() -> None:
        async with keeping.client("cn", "publisher") as risk, keeping.client("hk", "officer") as desk:
            named = []
            for content, classes in ((goods, (investigative,)), (passport, (personal,)), (unsaid, ())):
                named.append(evidence_of(await risk.files.put(written(tmp_path, content), about(classes=classes))))
            reference = await published(risk, named)
            await came(desk, reference)
            await desk.files.request(digest(goods), reference, **GROUNDS)
            await in_state(desk, digest(goods), HERE)
            for content in (passport, unsaid):
                with pytest.raises(AgreementForbidsError, match="PERSONAL"):
                    await desk.files.request(digest(content), reference, **GROUNDS)
                reason, _ = await asked_as_gateway(keeping, "hk", "cn", reference, digest(content))
                assert reason == "AGREEMENT_FORBIDS"
            with pytest.raises(AgreementForbidsError):
                await desk.files.request(digest(passport), reference, purpose="birthday", case_reference="1")

    keeping.run(run())


def test_an_erased_file_leaves_its_digest(keeping: Federation, tmp_path: Path) -> None:
    keeping.start("cn", "hk")
    content = picture(seed=11)

    async def run() -> None:
        async with (
            keeping.client("cn", "publisher") as risk,
            keeping.client("cn", "supervisor") as boss,
            keeping.client("hk", "officer") as desk,
        ):
            await risk.files.put(written(tmp_path, content), about(file_name="a.jpg"))
            reference = await published(risk, [signed(content)])
            await came(desk, reference)
            await desk.files.request(digest(content), reference, **GROUNDS)
            await in_state(desk, digest(content), HERE)
            with pytest.raises(PermissionDeniedError):
                await risk.files.erase(digest(content), reason="not mine to decide")
            hold = await boss.history.place_hold(
                SearchCriteria(containers=["CSQU3054383"]), reason="Order 2026/17", case_reference="SZ-2026-17"
            )
            with pytest.raises(FileHeldError, match=rf"legal hold keeps: {hold.hold_id} \(case SZ-2026-17\)") as held:
                await boss.files.erase(digest(content), reason="Wrong container")
            assert "gateway history hold list" in held.value.way_out
            assert await read(risk, digest(content)) == content
            await boss.history.release_hold(hold.hold_id, reason="The case is closed")
            erased = await boss.files.erase(digest(content), reason="Wrong container")
            assert (erased.state, erased.reason) == (FileState.FILE_STATE_ERASED, "Wrong container")
            assert [given.node for given in erased.given_to] == ["hk"]  # whose copy stays
            assert not list((keeping["cn"].data / "files").glob("??/*"))
            with pytest.raises(ErasedError):
                await read(risk, digest(content))
            with pytest.raises(IllegalTransitionError):
                await boss.files.erase(digest(content), reason="again")
            assert await read(desk, digest(content)) == content
            await risk.files.put(written(tmp_path, content), about())  # on purpose, it may come again
            await in_state(risk, digest(content), HERE)

    keeping.run(run())


async def never_ends() -> AsyncIterator[bytes]:
    while True:
        yield picture()


def test_what_isn_t_taken(tmp_path: Path) -> None:
    small = KEPT + 'max_file_mib = 1\nmax_total_mib = 2\nmedia_types = ["image/jpeg", "text/plain"]\n'
    for nodes in with_logs(tmp_path, settings=small):
        nodes.start("cn")

        async def run(nodes: Federation = nodes) -> None:
            async with nodes.client("cn", "publisher") as risk:
                limits = await risk.files.limits()
                assert (limits.max_file_bytes, limits.scanned) == (2**20, False)

                async def put(content: bytes, of: FileAbout) -> None:
                    await risk.files.put(written(tmp_path, content), of)

                with pytest.raises(FileRefusedError, match="at most 1,048,576 bytes"):
                    await put(picture(2**20 + 1), about())
                with pytest.raises(FileRefusedError, match="text/html"):
                    await put(b"<html>", about("text/html"))
                with pytest.raises(FileRefusedError, match="doesn't begin as"):
                    await put(b"<svg onload=alert(1)>", about())
                for name in ("../../etc/passwd", "a\nb", "a\u202egpj.exe", "c:\\x"):
                    with pytest.raises(InvalidRequestError, match="file_name"):
                        await put(picture(), about(file_name=name))
                    with pytest.raises(InvalidRequestError, match="file_name"):  # though more is still to come
                        await risk.files.put_stream(never_ends(), about(file_name=name))
                with pytest.raises(FileRefusedError, match="at most 1,048,576 bytes"):
                    await risk.files.put_stream(never_ends(), about())
                await put(picture(900_000, seed=1), about())
                await put(picture(900_000, seed=2), about())
                with pytest.raises(FileRefusedError, match=r"more exceed the 2,097,152 allowed"):
                    await put(picture(900_000, seed=3), about())
                page = await risk.files.list_page()
                assert (len(page.files), page.stored_bytes) == (2, 1_800_000)
                assert [path.name for path in (nodes["cn"].data / "files" / "uploads").glob("*")] == []

        nodes.run(run())


def test_a_node_that_keeps_no_files_says_so(tmp_path: Path) -> None:
    """hk keeps files and cn doesn't: the digest travels, and the request for the bytes ends with the reason."""
    for nodes in with_logs(tmp_path, settings_of=lambda node: KEPT if node == "hk" else ""):
        nodes.start("cn", "hk")
        content = picture()

        async def run(nodes: Federation = nodes, content: bytes = content) -> None:
            async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as desk:
                from gateway.errors import FilesOffError

                with pytest.raises(FilesOffError):
                    await risk.files.limits()
                reference = await published(risk, [signed(content)])
                await came(desk, reference)
                await desk.files.request(digest(content), reference, **GROUNDS)
                refused = await in_state(desk, digest(content), FileState.FILE_STATE_REFUSED)
                assert "keeps no evidence files" in refused.reason

        nodes.run(run())
