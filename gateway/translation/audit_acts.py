"""Lists what can be done at a gateway, by service and method, each as the sentence that the audit log is read in.

Placeholders stand for the subjects of their kind that an event names, e.g. `{alert}` for ids of alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.translation.messages import N_

PACKAGE: Final = "/gateway.v1."
"""Begins the full name of a method of the contract."""


@dataclass(frozen=True, slots=True)
class ServiceActs:
    """What can be done by the methods of one service, by name; `loads` only read what a page or a list shows."""

    title: str
    acts: Mapping[str, str]
    loads: Mapping[str, str] = field(default_factory=dict)


SERVICES: Final[Mapping[str, ServiceActs]] = {
    "AlertService": ServiceActs(
        N_("Alerts"),
        {
            "PublishAlert": N_("published alert {alert}"),
            "PublishAlerts": N_("published several alerts, among them {alert}"),
            "AmendAlert": N_("amended alert {alert}"),
            "WithdrawAlert": N_("withdrew alert {alert}"),
            "AcknowledgeAlert": N_("acknowledged alert {alert}"),
            "FlagAlert": N_("said that alert {alert} can't be acted on"),
            "AskQuestion": N_("asked a question on alert {alert}"),
            "AnswerQuestion": N_("answered a question on alert {alert}"),
            "ReportFinding": N_("reported a finding on alert {alert}"),
            "CorrectFinding": N_("corrected a finding on alert {alert}"),
            "WithdrawFinding": N_("withdrew a finding on alert {alert}"),
            "CloseAlert": N_("closed alert {alert}"),
            "EraseAlert": N_("erased alert {alert}"),
        },
        {
            "GetAlert": N_("opened alert {alert}"),
            "ListAlerts": N_("listed alerts"),
            "WatchAlerts": N_("followed alerts"),
            "ListErasures": N_("listed erasures of alerts"),
            "RehearseRetention": N_("looked which alerts retention will erase"),
            "PreviewAlert": N_("looked at an alert before it is published"),
            "PreviewAlertStep": N_("looked at a step on alert {alert} before it is sent"),
        },
    ),
    "CaseworkService": ServiceActs(
        N_("Inbox and cases"),
        {
            "AssignAlerts": N_("assigned alert {alert}"),
            "ScheduleAcknowledgements": N_("sent acknowledgements of alert {alert}, with time to undo them"),
            "UndoAcknowledgements": N_("took back the acknowledgement of alert {alert}"),
            "AddNote": N_("added a note to alert {alert}"),
            "EraseNote": N_("erased a note on alert {alert}"),
            "SetWatchMark": N_("marked alert {alert} as watched, or took the mark away"),
            "SaveView": N_("saved a view of the inbox"),
            "DeleteView": N_("deleted a view of the inbox"),
        },
        {
            "ListInbox": N_("opened the inbox"),
            "CountInbox": N_("counted the inbox"),
            "WatchInbox": N_("followed the inbox"),
            "ListRelatedAlerts": N_("looked for alerts like {alert}"),
            "GetCase": N_("opened the case of alert {alert}"),
            "ListViews": N_("listed views of the inbox"),
            "ListColleagues": N_("listed colleagues and what they have"),
            "ListDrafts": N_("listed own drafts"),
            "GetDraft": N_("opened an own draft"),
            "SaveDraft": N_("kept a draft"),
            "DeleteDraft": N_("deleted a draft"),
        },
    ),
    "WatchlistService": ServiceActs(
        N_("Lists, matches and hits"),
        {
            "ProposeEntries": N_("proposed changes of list {list}"),
            "DecideProposal": N_("decided a proposal for a list"),
            "ImportEntries": N_("imported a file into list {list}"),
            "EstimateMatches": N_("estimated how many matches entries would make"),
            "CompareCopy": N_("compared a partner's copy of a list"),
            "ScreenParties": N_("screened parties and means of transport"),
            "ScreenStream": N_("screened a stream of parties and means of transport"),
            "ReportHit": N_("reported a hit on {entry}"),
            "AnswerHit": N_("said what a hit turned out to be"),
            "DecideMatch": N_("decided a match"),
            "DismissMatches": N_("dismissed alike matches together"),
        },
        {
            "GetEntry": N_("opened {entry}"),
            "ListEntries": N_("listed entries"),
            "WatchEntries": N_("followed entries of lists"),
            "ListProposals": N_("listed proposals for lists"),
            "PreviewProposal": N_("looked at a proposal for a list"),
            "ListHits": N_("listed hits"),
            "ListMatches": N_("listed matches"),
            "WatchMatches": N_("followed matches"),
            "ListMatchGroups": N_("listed alike matches"),
            "ListScreeningReports": N_("listed changed verdicts"),
            "GetListStatistics": N_("opened the counts of lists"),
        },
    ),
    "HistoryService": ServiceActs(
        N_("Shipments and legal holds"),
        {
            "RecordShipments": N_("recorded shipments"),
            "SearchShipments": N_("searched shipments of {partner}"),
            "TraceConsignment": N_("traced a consignment at {partner}"),
            "SuggestControls": N_("asked which control codes may apply"),
            "PlaceHold": N_("placed a legal hold"),
            "ReleaseHold": N_("released a legal hold"),
        },
        {
            "GetShipment": N_("opened a record of a shipment"),
            "ListRiskHits": N_("listed risk hits"),
            "ListRules": N_("listed risk rules"),
            "ListControlChanges": N_("listed changes of export controls"),
            "ListHolds": N_("listed legal holds"),
        },
    ),
    "LinkAnalysisService": ServiceActs(
        N_("Network"), {"GetLinkGraph": N_("drew the network of a party, thing or record")}
    ),
    "RiskProfileService": ServiceActs(
        N_("Risk profiles"),
        {
            "OfferRiskProfile": N_("offered risk profile {thing}"),
            "WithdrawRiskProfile": N_("withdrew risk profile {thing}"),
            "AdoptRiskProfile": N_("adopted risk profile {thing}"),
            "EndRiskProfile": N_("ended risk profile {thing} here"),
            "DecideRiskProfileProposal": N_("decided a change of a risk profile"),
            "ReportRiskProfile": N_("reported on risk profile {thing}"),
        },
        {
            "TryRiskProfile": N_("tried risk profile {thing}"),
            "GetRiskProfile": N_("opened risk profile {thing}"),
            "ListRiskProfiles": N_("listed risk profiles"),
            "ListRiskProfileProposals": N_("listed changes of risk profiles that wait"),
        },
    ),
    "LicenceService": ServiceActs(
        N_("Licences"),
        {
            "PublishLicence": N_("published licence {thing}"),
            "AmendLicence": N_("amended licence {thing}"),
            "WithdrawLicence": N_("withdrew licence {thing}"),
            "DecideLicenceProposal": N_("decided a change of a licence"),
            "ReportLicenceUse": N_("reported a use of licence {thing}"),
            "ReportLicenceFollowUp": N_("reported what followed a use of licence {thing}"),
            "CheckLicence": N_("checked licence {thing}"),
        },
        {
            "GetLicence": N_("opened licence {thing}"),
            "ListLicences": N_("listed licences"),
            "ListLicenceProposals": N_("listed changes of licences that wait"),
        },
    ),
    "FileService": ServiceActs(
        N_("Files"),
        {
            "PutFile": N_("uploaded file {file}"),
            "ReadFile": N_("read file {file}"),
            "RequestFile": N_("asked a partner for file {file}"),
            "EraseFile": N_("erased file {file}"),
        },
        {
            "GetUpload": N_("looked how far an upload has come"),
            "GetFile": N_("opened what is known of a file"),
            "ListAlertFiles": N_("listed files of an alert"),
            "ListFiles": N_("listed files"),
            "GetFileLimits": N_("looked which files are taken"),
        },
    ),
    "EvidenceService": ServiceActs(
        N_("Evidence and audit log"),
        {
            "ExportEvidence": N_("exported evidence of {alert}"),
            "VerifyEvidence": N_("verified evidence"),
            "ProveConsistency": N_("had it proven that the feed {link} was only added to"),
            "ExportCoseReceipt": N_("exported a COSE receipt"),
            "ExportAuditEvents": N_("exported events of the audit log"),
            "GetAuditHead": N_("took a signed head of the audit log"),
        },
        {"ListAuditEvents": N_("opened the audit log")},
    ),
    "FigureService": ServiceActs(
        N_("Figures"),
        {"GetPublicationSheet": N_("made a publication sheet of alert {alert}")},
        {"GetFigures": N_("opened the figures")},
    ),
    "NodeService": ServiceActs(
        N_("Operation of the gateway"),
        {
            "SuspendLink": N_("suspended the link {link}"),
            "ResumeLink": N_("resumed the link {link}"),
            "ResolveQuarantine": N_("resolved the quarantine of the feed {link}"),
            "GetQuarantineEvidence": N_("downloaded the evidence of a quarantine, of the feed {link}"),
            "RecoverFeed": N_("recovered the feed {link}"),
            "DeclareNewFeeds": N_("declared that nothing was published yet on the feed {link}"),
            "SetMaintenance": N_("announced maintenance"),
            "EndMaintenance": N_("ended announced maintenance"),
            "TakeDirectory": N_("put a version of the directory in place"),
            "PreviewDirectory": N_("looked at a version of the directory before it is put in place"),
            "UnlockToken": N_("gave a hardware token its PIN"),
            "TestPartner": N_("tested the connection to {partner}"),
            "ExplainAbsence": N_("asked why a partner doesn't have something"),
        },
        {
            "GetNodeStatus": N_("opened the state of the gateway"),
            "ListLinks": N_("listed links"),
            "ListCertificates": N_("listed certificates"),
            "ListKeys": N_("listed signing keys"),
            "ListSigningKeys": N_("listed the places of signing keys"),
            "GetDirectory": N_("opened the directory"),
        },
    ),
    "PersonService": ServiceActs(
        N_("Persons and sign-in"),
        {
            "SignIn": N_("signed in with a password"),
            "FinishPasskeySignIn": N_("signed in with a passkey"),
            "SignInWithIdToken": N_("signed in by the identity provider"),
            "SignOut": N_("signed out"),
            "Enrol": N_("enrolled and signed in"),
            "ChangePassword": N_("changed their own password"),
            "FinishPasskeyRegistration": N_("registered a passkey"),
            "RemovePasskey": N_("removed a passkey"),
            "SetPreferences": N_("changed language, time zone or colours"),
            "EndSession": N_("ended sessions of {person}"),
            "BreakGlass": N_("broke the glass and took more roles"),
            "EndBreakGlass": N_("gave the roles of break-glass back"),
            "AddPerson": N_("added the account of {person}"),
            "ChangePerson": N_("changed the account of {person}"),
            "ResetPerson": N_("reset the sign-in of {person}"),
            "RotateAssertionKey": N_("replaced the key that signs assertions"),
            "ResolvePseudonym": N_("asked who stands behind a pseudonym"),
        },
        {
            "GetSignInMethods": N_("looked how one can sign in"),
            "BeginPasskeySignIn": N_("began to sign in with a passkey"),
            "RenewAssertion": N_("went on in a session"),
            "GetEnrolment": N_("opened an enrolment link"),
            "GetOwnAccount": N_("opened their own account"),
            "BeginPasskeyRegistration": N_("began to register a passkey"),
            "BeginApproval": N_("was asked for an approval by passkey"),
            "ListSessions": N_("listed sessions"),
            "ListPersons": N_("listed persons"),
            "GetPerson": N_("opened the account of a person"),
        },
    ),
    "NotificationService": ServiceActs(
        N_("Notifications"),
        {
            "SetNotificationRules": N_("changed own rules of notifications"),
            "SetSharedNotificationRules": N_("changed the authority's rules of notifications"),
            "TestNotificationDelivery": N_("sent a test message"),
        },
        {
            "ListNotifications": N_("opened notifications"),
            "WatchNotifications": N_("followed notifications"),
            "MarkNotificationsRead": N_("marked notifications as read"),
            "GetNotificationRules": N_("opened rules of notifications"),
            "ListOutboxState": N_("opened the state of mails and webhooks"),
        },
    ),
    "ExchangeService": ServiceActs(
        N_("Exchange between gateways"),
        {
            "QueryHistory": N_("asked for shipments"),
            "AskHistory": N_("asked for shipments, to be answered at once"),
            "AskLicence": N_("asked about a licence"),
            "FetchFile": N_("fetched file {file}"),
            "AnnounceMaintenance": N_("announced its maintenance, or the end of it"),
            "OfferDirectory": N_("offered a version of the directory"),
            "AddCheckpoint": N_("asked for a cosignature of the witness"),
        },
        {
            "Replicate": N_("opened a link, to send entries"),
            "Fetch": N_("opened a link, to fetch entries"),
            "GetCheckpoint": N_("fetched a checkpoint"),
            "GetConsistencyProof": N_("fetched a proof of consistency"),
            "GetNextDirectory": N_("asked for the next version of the directory"),
        },
    ),
}
"""By name of the service."""

LOCAL: Final = ServiceActs(
    N_("By the gateway itself"),
    {
        "restore": N_("began again from a backup"),
        "reload settings": N_("read the settings again"),
        "take revocation": N_("took a revocation by its owner"),
        "purge": N_("erased what its retention no longer keeps"),
        "erase_alerts": N_("erased alerts, by retention or because their publisher asked for it"),
        "purge_files": N_("erased files that nothing keeps any more"),
        "scan_file": N_("had file {file} scanned for viruses"),
        "fetch_file": N_("fetched file {file} from a partner"),
        "audit head": N_("found another audit log than the one that was signed"),
        "watchlist/expiry": N_("warned of entries that end soon: {entry}"),
        "(unknown)": N_("called a method that there isn't"),
    },
)
"""What the log has beside the methods of the contract."""

SIGN_INS: Final = frozenset(
    f"{PACKAGE}PersonService/{name}"
    for name in ("SignIn", "FinishPasskeySignIn", "SignInWithIdToken", "SignOut", "Enrol", "RenewAssertion")
)
"""Methods by which a console calls for somebody: the person is the subject."""

LOADS: Final = frozenset(f"{PACKAGE}{service}/{name}" for service, acts in SERVICES.items() for name in acts.loads)
"""Methods that only read what a page or a list shows."""

SENTENCES: Final[Mapping[str, str]] = {
    f"{PACKAGE}{service}/{name}": sentence
    for service, methods in SERVICES.items()
    for name, sentence in {**methods.acts, **methods.loads}.items()
} | dict(LOCAL.acts)
"""By full name of the method."""
