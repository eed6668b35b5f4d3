"""`gateway evidence verify`: checks evidence of whatever kind offline, and shows what it proves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, TypeVar

import typer

from gateway.cli.directory.files import anchors_from
from gateway.cli.evidence.proved_facts import denial_facts, export_facts, fork_facts, inclusion_facts
from gateway.cli.files import naming, read_input
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, json_key, reports_errors
from gateway.errors import OptionError
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from gateway.evidence.codec.bundle import Bundle
    from gateway.evidence.service.answer_check import AnswerExamination, VerifiedAnswer
    from gateway.evidence.service.report import Examination, VerifiedEvidence
    from gateway.trust.service.directory_versions import RootOfTrust

ProofT = TypeVar("ProofT")


@reports_errors
def verify(
    bundle: Annotated[Path, typer.Argument(help=_("The folder or .zip file."), exists=True)],
    *,
    directory: Annotated[
        Path | None, typer.Option(help=_("A directory.note from an authority that you trust."), dir_okay=False)
    ] = None,
    anchor: Annotated[
        list[str] | None, typer.Option(help=_("An authority's directory key (vkey) or .vkey file; may be repeated."))
    ] = None,
    threshold: Annotated[
        int | None, typer.Option(help=_("Anchors that must have signed; without it all."), min=1)
    ] = None,
    origin_only: Annotated[
        bool, typer.Option("--origin-only", help=_("Verify without a receipt (proof of origin only)."))
    ] = False,
    tsa_certificate: Annotated[
        Path | None,
        typer.Option(help=_("Certificates of the time-stamping authority that you trust, PEM."), dir_okay=False),
    ] = None,
    record: Annotated[
        list[str] | None,
        typer.Option("--record", help=_("Of an answer: whether this record was in it; may be repeated.")),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify evidence step by step. Needs no network and no gateway, only a directory or the authorities' keys.

    Takes what `gateway evidence export` and `gateway audit export` write, the files of a feed's quarantine: whether
    they prove that the partner has signed two histories; those of a denied receipt: whether it has signed a
    receipt, and later that it holds less; and a COSE receipt.

    \b
    Examples:
      gateway evidence verify case-7.zip --directory directory.note
      gateway evidence verify told.zip --directory directory.note --record HK-2026-17
      gateway evidence verify case-7 --anchor cn.vkey --anchor hk.vkey --anchor mo.vkey --threshold 2

    \b
    Exit codes: 0 verified, 1 a step fails, 2 wrong input.
    """
    if directory is None and not anchor:
        raise OptionError(_("name what vouches for the keys: --directory FILE, or --anchor VKEY"))
    from gateway.evidence.service.files import read_bundles  # noqa: PLC0415  # imports slowly

    with naming(bundle, way_out=_("Give what `gateway evidence export` has written, unchanged.")):
        parts = read_bundles(bundle)
    if as_json and len(parts) > 1:
        raise OptionError(_("there are several bundles in it: unpack it, and give --json each of them"))
    judged_by = _JudgedBy(
        anchors=anchors_from(anchor, threshold) if anchor else None,
        directory_note=read_input(directory) if directory else None,
    )
    tsa = _tsa_certificates(tsa_certificate) if tsa_certificate else []
    output = Output(as_json)
    for number, files in enumerate(parts, 1):
        if len(parts) > 1:
            output.note(_("Bundle {number} of {all}", number=number, all=len(parts)))
        examination = _examined(output, files, judged_by, record or [], tsa, origin_only=origin_only)
        if examination.evidence is None:
            output.note(_("NOT VERIFIED: {detail}", detail=examination.steps[-1].detail))
            raise typer.Exit(EXIT_FAILED)


def _tsa_certificates(path: Path) -> list[Certificate]:
    from gateway.evidence.codec.time_stamp import read_certificates, time_stamp_library  # noqa: PLC0415  # imports slowly

    time_stamp_library()
    return read_certificates(path)


class _JudgedBy(TypedDict):
    """What vouches for the keys."""

    anchors: RootOfTrust | None
    directory_note: bytes | None


def _examined(
    output: Output,
    files: Bundle,
    judged_by: _JudgedBy,
    record_ids: list[str],
    tsa_certificates: list[Certificate],
    *,
    origin_only: bool,
) -> Examination[Any]:
    """Examines evidence of whatever kind, and shows it."""
    # only here: they import slowly
    from gateway.evidence.codec.answer_bundle import is_answer  # noqa: PLC0415
    from gateway.evidence.codec.audit_export import is_audit_export  # noqa: PLC0415
    from gateway.evidence.service.answer_check import examine_answer  # noqa: PLC0415
    from gateway.evidence.service.audit_export_check import examine_audit_export  # noqa: PLC0415
    from gateway.evidence.service.check import examine  # noqa: PLC0415
    from gateway.evidence.service.claim_check import examine_denied_receipt, is_denied_receipt  # noqa: PLC0415
    from gateway.evidence.service.cose_check import examine_cose_receipt, is_cose_receipt  # noqa: PLC0415
    from gateway.evidence.service.quarantine_check import examine_quarantine, is_quarantine  # noqa: PLC0415

    if is_answer(files):
        answer = examine_answer(files, **judged_by)
        _show_answer(output, answer, record_ids)
        return answer
    if record_ids:
        raise OptionError(_("--record asks about an answer, and this is other evidence"))
    if is_audit_export(files.files):
        export = examine_audit_export(files, **judged_by)
        _show_proved(output, export, export_facts)
        return export
    if is_quarantine(files):
        quarantine = examine_quarantine(files, **judged_by)
        _show_proved(output, quarantine, fork_facts)
        return quarantine
    if is_denied_receipt(files):
        denied = examine_denied_receipt(files, **judged_by)
        _show_proved(output, denied, denial_facts)
        return denied
    if is_cose_receipt(files):
        inclusion = examine_cose_receipt(files, **judged_by)
        _show_proved(output, inclusion, inclusion_facts)
        return inclusion
    alert = examine(files, **judged_by, require_receipt=not origin_only, tsa_certificates=tsa_certificates)
    _show(output, alert)
    return alert


def _show(output: Output, examination: Examination[VerifiedEvidence]) -> None:
    evidence = examination.evidence
    if output.as_json:
        proved: dict[str, object] | None = None
        if evidence is not None:
            proved = {**{json_key(name): value for name, value in _facts(evidence).items()}, "steps": evidence.steps}
            proved["time_stamp"] = evidence.time_stamp
            proved["witnesses"] = evidence.witnesses
        output.json({"verified": evidence is not None, "steps": examination.steps, "evidence": proved})
        return
    _show_steps(output, examination)
    if evidence is None:
        return
    output.facts(_("Proved"), _facts(evidence))
    output.table(
        _("Proved of each step"),
        marked("Step", "By", "Recorded", "Received by", "Received", "Processed"),
        [
            (step.name, step.by, step.recorded_at, step.to, step.received_at or _("NO RECEIPT"), step.outcome or None)
            for step in evidence.steps
        ],
        minor=("Recorded",),
    )
    unreceived = [step for step in evidence.steps if step.received_at is None]
    if unreceived:
        names = ", ".join(f"{step.name} ({step.to})" for step in unreceived)
        output.warning(_("not proved to be received: {steps}", steps=names))


def _show_answer(output: Output, examination: AnswerExamination, record_ids: list[str]) -> None:
    evidence = examination.evidence
    if output.as_json:
        proved = None if evidence is None else _answer_facts(evidence, record_ids)
        output.json({"verified": evidence is not None, "steps": examination.steps, "evidence": proved})
        return
    _show_steps(output, examination)
    if evidence is None:
        return
    output.note(evidence.told)
    asked = record_ids or [record.record.shipment.record_id for record in evidence.answer.records]
    for record_id in asked:
        output.note(evidence.record_summary(record_id))


def _show_proved(
    output: Output, examination: Examination[ProofT], facts: Callable[[ProofT], dict[str, object]]
) -> None:
    """What is proved; `facts` has its sentence first, as `told`."""
    proof = examination.evidence
    proved = None if proof is None else facts(proof)
    if output.as_json:
        output.json({"verified": proof is not None, "steps": examination.steps, "evidence": proved})
        return
    _show_steps(output, examination)
    if proved is not None:
        output.line(str(proved["told"]))


def _show_steps(output: Output, examination: Examination[Any]) -> None:
    rows = [(step.number, step.name, step.status, step.detail) for step in examination.steps]
    output.table(_("Steps"), marked("No.", "Step", "Result", "Found"), rows)


def _answer_facts(evidence: VerifiedAnswer, record_ids: list[str]) -> dict[str, object]:
    answer, said = evidence.answer, evidence.answer.statement
    return {
        "told": evidence.told,
        "query_id": said.query_id,
        "asker": said.asker,
        "answerer": said.answerer,
        "asked_at": answer.asked_at,
        "answered_at": said.answered_at,
        "purpose": answer.query.grounds.purpose,
        "legal_basis": answer.query.grounds.legal_basis,
        "case_reference": answer.query.grounds.case_reference,
        "count": said.count,
        "as_of": said.as_of_time,
        "as_of_position": said.as_of if said.as_of_time is None else None,
        "more_before": said.more_before,
        "withheld": said.withheld,
        "hit": said.hit,
        "directory_version": evidence.directory_version,
        "records": [record.record.shipment.record_id for record in answer.records],
        "said": {record_id: evidence.record_summary(record_id) for record_id in record_ids},
    }


def _facts(evidence: VerifiedEvidence) -> dict[str, str | int | datetime | None]:
    """What evidence proves, by names in English."""
    alert = evidence.alert
    return {
        N_("Alert"): f"{evidence.key.publisher}/{evidence.key.alert_id}",
        N_("Published by"): evidence.key.publisher,
        N_("Addressed to"): evidence.key.recipient,
        N_("Feed"): alert.origin.line,
        N_("Entry"): alert.index,
        N_("Recorded at"): alert.recorded_at,
        N_("Received at"): evidence.received_at,
        N_("Existed before"): _stamped_at(evidence),
        N_("Directory version"): evidence.directory_version,
        N_("Later events"): len(evidence.events),
    }


def _stamped_at(evidence: VerifiedEvidence) -> datetime | None:
    """The time of a third party that the verifier trusts."""
    stamp = evidence.time_stamp
    return stamp.time if stamp is not None and stamp.is_trusted else None
