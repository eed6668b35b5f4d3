"""The tree of errors: each class has a stable reason code, a canonical status and a way out for operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """gRPC's canonical status codes."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: the field's path in the message (`goods[0].net_mass_kg`), the rule's id and the problem."""

    field: str
    rule: str
    message: str


class GatewayError(Exception):
    """Base of all errors.

    Attributes:
        reason: stable code in UPPER_SNAKE_CASE, part of the contract.
        kind: canonical status.
        way_out: next step for an operator or caller; English, translated where it is shown.
        ways_out: the same by `metadata["about"]`, for objects other than alerts.
        metadata: facts of this instance.
        retry_after_s: seconds after which a retry makes sense, or None.
    """

    reason: ClassVar[str] = "INTERNAL"
    kind: ClassVar[Kind] = Kind.INTERNAL
    way_out: str = "This is a defect of the gateway; the log has the details."
    ways_out: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
        way_out: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})
        if self.metadata.get("about") in self.ways_out:
            self.way_out = self.ways_out[self.metadata["about"]]
        if way_out:
            self.way_out = way_out
        self.retry_after_s = retry_after_s


class InvalidRequestError(GatewayError):
    """A request breaks rules of the contract; all violations are listed."""

    reason = "INVALID_REQUEST"
    kind = Kind.INVALID_ARGUMENT
    way_out = "Correct the listed fields and send the request again."

    def __init__(self, violations: Sequence[Violation], message: str = "", *, way_out: str = "") -> None:
        self.violations = tuple(violations)
        super().__init__(message or "; ".join(f"{v.field}: {v.message}" for v in self.violations), way_out=way_out)


class MalformedError(GatewayError):
    """Bytes aren't in their defined format, or not in its canonical form."""

    reason = "MALFORMED"
    kind = Kind.INVALID_ARGUMENT
    way_out = "The input isn't in the documented format; get it from its source again."


class TooLargeError(MalformedError):
    """Input exceeds a limit and wasn't parsed."""

    reason = "TOO_LARGE"
    way_out = "Send less at once; the limits stand in docs/protocol.md."


class DocumentInvalidError(MalformedError):
    """A JSON document (directory, node card) breaks its format; all problems are listed."""

    reason = "DOCUMENT_INVALID"
    way_out = "Correct the listed members; docs/protocol.md has the format."

    def __init__(self, what: str, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(f"{what}: " + "; ".join(f"{v.field}: {v.message}" for v in self.violations))


class VerificationError(GatewayError):
    """A signature, root, proof or digest doesn't verify; `step` names the failing step of the documented sequence."""

    reason = "VERIFICATION_FAILED"
    kind = Kind.DATA_LOSS
    way_out = "Don't rely on this data; keep it as it is and ask its source."

    def __init__(self, message: str, *, step: str = "", metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message, metadata={**(metadata or {}), **({"step": step} if step else {})})
        self.step = step


class SignatureInvalidError(VerificationError):
    """No trusted key signed, or its signature is wrong."""

    reason = "SIGNATURE_INVALID"


class ProofInvalidError(VerificationError):
    """An inclusion or consistency proof doesn't lead to the root."""

    reason = "PROOF_INVALID"


class TileMissingError(GatewayError):
    """Stored hashes of a feed are incomplete for its recorded size."""

    reason = "TILE_MISSING"
    kind = Kind.DATA_LOSS
    way_out = "The database lost part of a feed's tree. `gateway verify` names the feed; restore the database."


class UnauthenticatedError(GatewayError):
    """The caller isn't identified; only the audit log has the reason."""

    reason = "UNAUTHENTICATED"
    kind = Kind.UNAUTHENTICATED
    way_out = "Present a valid certificate of this federation; the gateway's audit log has the exact reason."


class SignInRefusedError(GatewayError):
    """A person isn't signed in; only the audit log has the reason, whether the person exists or not."""

    reason = "SIGN_IN_REFUSED"
    kind = Kind.UNAUTHENTICATED
    way_out = "Check name and password, or ask the operator for a new enrolment link."


class SessionEndedError(GatewayError):
    """A person's session or assertion has ended or doesn't hold for this caller; only the audit log has the reason."""

    reason = "SESSION_ENDED"
    kind = Kind.UNAUTHENTICATED
    way_out = "Sign in again."


class ApprovalRequiredError(GatewayError):
    """The call needs the person's approval by passkey, bound to this very request and used once."""

    reason = "APPROVAL_REQUIRED"
    kind = Kind.PERMISSION_DENIED
    way_out = "Approve exactly this request with your passkey, within two minutes."


class PermissionDeniedError(GatewayError):
    """The caller is known and may not do this."""

    reason = "PERMISSION_DENIED"
    kind = Kind.PERMISSION_DENIED
    way_out = "Ask the operator which role or agreement allows this."
    ways_out: ClassVar[Mapping[str, str]] = {
        "onward_transfer": "Ask the alert's publisher with `gateway alert ask … --pass-on-to NODE`.",
        "releasable_to": "Record it again with the partner in `releasable_to`, if the partner may know of it.",
    }


class AgreementForbidsError(PermissionDeniedError):
    """The agreement with a partner doesn't allow this message, purpose or field class."""

    reason = "AGREEMENT_FORBIDS"
    way_out = "The agreement in the directory decides what may be sent to this partner; see `gateway directory show`."


class NotFoundError(GatewayError):
    """Doesn't exist, or this caller may not see it."""

    reason = "NOT_FOUND"
    kind = Kind.NOT_FOUND
    way_out = "Check the identifier."


class ErasedError(GatewayError):
    """The content was erased at the end of its retention; its proofs still verify."""

    reason = "ERASED"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Its retention has ended here. Ask the partner, whose own retention may be longer."


class FilesOffError(GatewayError):
    """This gateway keeps no evidence files: its settings don't say so."""

    reason = "FILES_OFF"
    kind = Kind.UNIMPLEMENTED
    way_out = "Its operator turns them on with `enabled = true` under [attachments]; alerts can name digests without."


class FileNotReadyError(GatewayError):
    """A file's bytes aren't here, or may not be shown: not uploaded or fetched yet, not scanned, or in quarantine."""

    reason = "FILE_NOT_READY"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Read the file's state: a file at a partner is asked for, one that isn't scanned yet needs some seconds."


class FileHeldError(GatewayError):
    """A file belongs to an alert that a legal hold keeps, and isn't erased meanwhile."""

    reason = "FILE_HELD"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Erase it when the hold has ended: `gateway history hold list` shows it, its case, and who placed it."


class AlertHeldError(GatewayError):
    """A legal hold keeps an alert, which isn't erased meanwhile."""

    reason = "ALERT_HELD"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Erase it when the hold has ended: `gateway history hold list` shows it, its case, and who placed it."


class FileDamagedError(VerificationError):
    """The bytes of a stored file are gone, or aren't those of its digest."""

    reason = "FILE_DAMAGED"
    way_out = "Restore the file from a backup, or ask the partner for it again; `gateway verify` names all such files."


class FileRefusedError(GatewayError):
    """A file isn't taken: too large, of a type that the settings don't allow, or with other bytes than its digest's."""

    reason = "FILE_REFUSED"
    kind = Kind.FAILED_PRECONDITION
    way_out = "See what is taken with `gateway file limits`."


class FileStoreFullError(FileRefusedError):
    """All files together may not take more room."""

    reason = "FILE_STORE_FULL"
    kind = Kind.RESOURCE_EXHAUSTED
    way_out = "Erase files that nobody needs, or raise max_total_mib under [attachments]."


class IllegalTransitionError(GatewayError):
    """The present state doesn't allow this step, or not from this side."""

    reason = "ILLEGAL_TRANSITION"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Read the alert's present state and choose a step that it allows."
    ways_out: ClassVar[Mapping[str, str]] = {
        "match": "Read the match's present state and choose a step that it allows.",
        "proposal": "Read the proposal's present state and choose a step that it allows.",
        "licence": "Read the licence's present state and choose a step that it allows.",
    }


class RevisionConflictError(GatewayError):
    """The caller acted on an outdated revision."""

    reason = "REVISION_CONFLICT"
    kind = Kind.ABORTED
    way_out = "Read the alert again and repeat the step on its current revision."
    ways_out: ClassVar[Mapping[str, str]] = {
        "entry": "Read the entry again and repeat the step on its current revision.",
        "licence": "Read the licence again and repeat the step on its current revision.",
    }


class RequestIdReusedError(GatewayError):
    """The request id was used with another body."""

    reason = "REQUEST_ID_REUSED"
    kind = Kind.ALREADY_EXISTS
    way_out = "Use a new request id for a new request; repeat the old one only with the same body."


class OverloadedError(GatewayError):
    """A caller's limit or a queue is full."""

    reason = "OVERLOADED"
    kind = Kind.RESOURCE_EXHAUSTED
    way_out = "Wait for the given time and retry."


class StoreUnavailableError(GatewayError):
    """The database can't be written: disk full, server gone, locked too long."""

    reason = "STORE_UNAVAILABLE"
    kind = Kind.UNAVAILABLE
    way_out = "Try again in a moment; if that doesn't help, the gateway's log names the cause."
    ways_out: ClassVar[Mapping[str, str]] = {
        "disk": "Free space on that disk.",
        "server": "Start the database server, or correct database_url.",
        "sign-in": "Correct the user, the password or the name of the database in database_url.",
        "standby": "Name the primary in database_url.",
        "lock": "End the program or transaction that holds the database locked.",
        "folder": "Let the gateway's user read and write the database and its folder.",
        "marks": "Let the gateway's user write that file, on a disk that is sound and has space.",
    }


class MarksBehindError(StoreUnavailableError):
    """A group is committed, but its marks aren't durable: nothing of it is released before they are."""


class SigningKeyUnavailableError(StoreUnavailableError):
    """The hardware token of a signing key is locked or lost: nothing that has to be signed is committed."""

    reason = "SIGNING_KEY_UNAVAILABLE"
    way_out = (
        "Try again in a moment: the gateway goes on by itself once the token is back; `gateway keys list` shows it."
    )
    ways_out: ClassVar[Mapping[str, str]] = {
        "locked": "Unlock the token with `gateway keys unlock TOKEN`, then try again.",
    }


class StoreDamagedError(GatewayError):
    """The database's engine finds its file damaged: a page, a table or an index isn't what it must be."""

    reason = "STORE_DAMAGED"
    kind = Kind.DATA_LOSS
    way_out = "Stop the gateway, keep a copy of the database, and follow docs/runbook/damaged-database.md."


class FeedBehindError(GatewayError):
    """The partner holds more of an own feed than this database, which is older than what was sent."""

    reason = "FEED_BEHIND_PARTNER"
    kind = Kind.FAILED_PRECONDITION
    way_out = (
        "This database is older than what was already sent. Run `gateway recover` to fetch the missing entries back."
    )


class FeedUncomparedError(FeedBehindError):
    """This node's folder is new or old, and the partner hasn't said yet what it holds of an own feed."""

    reason = "FEED_NOT_COMPARED"
    way_out = (
        "Wait until the partner is reached: it is asked by itself. Only if nothing was ever published to it: "
        "`gateway link declare-new PARTNER`."
    )


class FeedForkedError(GatewayError):
    """Two histories of one feed exist; neither is extended until an operator decides."""

    reason = "FEED_FORKED"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Follow docs/runbook/forked-history.md with the partner: the feed goes on in a new epoch."


class EpochNeededError(GatewayError):
    """A feed lacks entries that its recipient may hold, with this node's signature, and doesn't give back."""

    reason = "EPOCH_NEEDED"
    kind = Kind.FAILED_PRECONDITION
    way_out = (
        "Nothing is signed twice. Ask the partner's operator to look for the entries, then `gateway recover` again; or "
        "go on in a new epoch: `gateway directory renew DIRECTORY --card CARD --new-epoch OWN/PARTNER` "
        "(docs/runbook/forked-history.md)."
    )


class FeedDamagedError(GatewayError):
    """A feed's stored head doesn't lead to its signed root; nothing is added to the feed."""

    reason = "FEED_DAMAGED"
    kind = Kind.DATA_LOSS
    way_out = "The database is damaged: run `gateway verify`, and follow docs/runbook/damaged-database.md."


class QuarantinedError(GatewayError):
    """The feed is in quarantine after proof of misbehaviour."""

    reason = "QUARANTINED"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Examine the evidence that `gateway link list` names, then `gateway link resolve` or keep it suspended."


class PositionUnknownError(GatewayError):
    """A position lies beyond the log's end."""

    reason = "POSITION_UNKNOWN"
    kind = Kind.OUT_OF_RANGE
    way_out = "The position isn't one of this gateway's. Start from position 0 or from one that it gave."


class ConfigurationError(GatewayError):
    """Settings, keys, certificates or directory don't allow the node to start."""

    reason = "CONFIGURATION"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Correct the named setting; `gateway doctor` checks all of them."


class CredentialsError(ConfigurationError):
    """A key, certificate, CA or passphrase is missing, unusable, or doesn't belong to the others."""

    reason = "CREDENTIALS"
    way_out = "Put the right file in its place; `gateway pki show FILE` says what a file holds."


class InputFileError(ConfigurationError):
    """A table, mapping, file of rules or other file that people write isn't in its documented form."""

    reason = "INPUT_FILE"
    way_out = "Correct that place in the file."


class OptionError(GatewayError):
    """An argument or option of a command, or what a person typed elsewhere, isn't what it must be."""

    reason = "USAGE"
    kind = Kind.INVALID_ARGUMENT
    way_out = "Correct it; the command's --help lists its options, with an example."


class DirectoryError(ConfigurationError):
    """The directory doesn't verify, is too old, or is incomplete."""

    reason = "DIRECTORY_REJECTED"
    way_out = (
        "Get the current directory, signed by a threshold of the authorities, and verify it with "
        "`gateway directory verify`."
    )


class DirectoryChangedError(GatewayError):
    """A stream began under an earlier version of the directory than the one in force."""

    reason = "DIRECTORY_CHANGED"
    kind = Kind.ABORTED
    way_out = "Open the stream again, as partners' gateways do by themselves."


class UnavailableError(GatewayError):
    """A partner or service can't be reached."""

    reason = "UNAVAILABLE"
    kind = Kind.UNAVAILABLE
    way_out = "Retry; the gateway keeps trying by itself."


class StoppingError(UnavailableError):
    """The gateway is being stopped or started again; streams resume from their positions."""

    reason = "NODE_STOPPING"
    way_out = "Come back after the given time; nothing that was acknowledged is lost."


class PartnerError(GatewayError):
    """A partner's gateway refused a call that this one made; `metadata` has its `partner` and `partner_reason`."""

    reason = "PARTNER_ERROR"
    kind = Kind.FAILED_PRECONDITION
    way_out = "The partner's gateway says this, not this one: ask its operator. `gateway link list` shows its feeds."


class DeadlineExceededError(GatewayError):
    """The answer missed the caller's deadline."""

    reason = "DEADLINE_EXCEEDED"
    kind = Kind.DEADLINE_EXCEEDED
    way_out = "A mutation may have succeeded: repeat it with the same request id, or give it more time."


class MethodUnknownError(GatewayError):
    """The method isn't served on this port."""

    reason = "METHOD_UNKNOWN"
    kind = Kind.UNIMPLEMENTED
    way_out = "Check the port: partners' methods are on the peer port, all others on the local port."


class SequenceError(GatewayError):
    """A batch doesn't begin at the feed's end, `metadata["expected_index"]`."""

    reason = "OUT_OF_SEQUENCE"
    kind = Kind.FAILED_PRECONDITION
    way_out = "Open the stream again and go on from the position that the recipient gives."


class MisbehaviourError(GatewayError):
    """A partner's batch proves misbehaviour: wrong root or signature, or a contradiction to what it signed before."""

    reason = "MISBEHAVIOUR"
    kind = Kind.DATA_LOSS
    way_out = "The feed is in quarantine; its evidence folder has the signed checkpoints. Ask the partner."


class LinkSuspendedError(GatewayError):
    """An operator has suspended the link."""

    reason = "LINK_SUSPENDED"
    kind = Kind.FAILED_PRECONDITION
    way_out = "It goes on when the operator resumes it with `gateway link resume`."
