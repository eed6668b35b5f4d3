"""The way of three authorities from nothing to a directory in force, and back out of it, through the commands alone."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.tls.certificates import authenticate
from gateway.trust.codec.directory import decode_directory
from gateway.trust.pki.keys import NEXT_LOG_KEY, NEXT_RECEIPTS_KEY, create_signing_key
from gateway.trust.service.directory_versions import accept, unsafe_reopen
from gateway.trust.service.trial_federation import MemberSpec, create_federation

FEDERATION = "gba.customs.example"
NODES = ("cn", "hk", "mo")


def run(*arguments: object, answer: str | None = None, **environment: str) -> Result:
    runner = CliRunner(env={"COLUMNS": "200", **environment})
    return runner.invoke(app, [str(argument) for argument in arguments], input=answer)


def ok(*arguments: object, **more: Any) -> Any:
    result = run(*arguments, "--json", **more)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(*arguments: object, **more: Any) -> str:
    """The error of a command that refuses: one sentence and a way out, exit code 2, no traceback."""
    result = run(*arguments, **more)
    assert result.exit_code == 2, result.output
    assert "Error: " in result.stderr
    assert "Way out: " in result.stderr
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three authorities with CA, certificates, keys and cards, and a directory that two of three have signed."""
    root = tmp_path_factory.mktemp("world")
    for node in NODES:
        make_node(root / node, node)
    cards = [root / node / "card.json" for node in NODES]
    drafted = ok("directory", "draft", *cards, "--threshold", 2, "--out", root / "directory.json")
    assert drafted["authorities"] == ["cn", "hk", "mo"]
    for node, file in (("cn", "directory.json"), ("hk", "directory.note")):
        ok(*sign(root, node, root / file), "--yes")
    return root


def make_node(folder: Path, node: str) -> None:
    names = ("--node", node, "--federation", FEDERATION)
    ok("pki", "init-ca", *names, "--out", folder / "ca", "--passphrase-env", "CA_PASS", CA_PASS="far away")
    pki = folder / "pki"
    ok("pki", "request", "--kind", "gateway", *names, "--dns", f"{node}.example", "--ip", "127.0.0.1", "--out", pki)
    ok("pki", "request", "--kind", "system", *names, "--name", "officers", "--out", pki)
    for stem in ("gateway", "officers"):
        issue(folder, pki / f"{stem}.csr", pki / f"{stem}.pem")
    (pki / "ca.pem").write_bytes((folder / "ca" / "ca.pem").read_bytes())
    ok("pki", "signing-keys", *names, "--out", pki / "keys")
    offline = folder / "offline"
    ok("pki", "directory-key", "--authority", node, "--federation", FEDERATION, "--out", offline)
    vkey, endpoint = offline / "directory.vkey", f"{node}.example:7443"
    shared = ("--pki", pki, "--directory-key", vkey, "--name", f"en=Customs {node}", "--out", folder / "card.json")
    made = ok("directory", "card", *names, "--endpoint", endpoint, *shared)
    assert len(made["digest"].split()) == 8


def issue(folder: Path, request: Path, certificate: Path, *more: str) -> Any:
    confirmed = ("--passphrase-env", "CA_PASS", *(more or ("--yes",)))
    return ok("pki", "issue", "--ca", folder / "ca", request, "--out", certificate, *confirmed, CA_PASS="far away")


def sign(root: Path, node: str, file: Path) -> tuple[object, ...]:
    return ("directory", "sign", file, "--authority", node, "--key", root / node / "offline" / "directory.pem")


def anchors(root: Path, *nodes: str) -> list[object]:
    return [part for node in nodes for part in ("--anchor", root / node / "offline" / "directory.vkey")]


def test_the_directory_is_verified_as_a_node_would(world: Path) -> None:
    verified = ok("directory", "verify", world / "directory.note", *anchors(world, *NODES), "--threshold", 2)
    assert verified["signed_by"] == [f"{FEDERATION}/cn/directory", f"{FEDERATION}/hk/directory"]
    assert verified["validity"] == "current"
    assert verified["anchored"]
    vkey = (world / "cn" / "offline" / "directory.vkey").read_text().strip()
    assert ok("directory", "verify", world / "directory.note", "--anchor", vkey)["version"] == 1


def test_without_anchors_nobody_vouches_and_that_is_said(world: Path) -> None:
    result = run("directory", "verify", world / "directory.note")
    assert result.exit_code == 0
    assert "nobody vouches" in result.stderr
    assert "undamaged" in result.stdout


def test_verify_names_the_failing_step(world: Path, tmp_path: Path) -> None:
    note = world / "directory.note"
    assert "step 2 succession" in refused("directory", "verify", note, *anchors(world, *NODES))  # all three wanted
    assert "step 2 succession" in refused("directory", "verify", note, *anchors(world, "mo"))
    tampered = tmp_path / "directory.note"
    tampered.write_bytes(note.read_bytes().replace(b"cn.example:7443", b"cn.example:7444"))
    assert "step 2" in refused("directory", "verify", tampered, *anchors(world, "cn", "hk"))
    assert "step 3" in refused("directory", "verify", tampered)
    tampered.write_bytes(b"noise")
    assert "step 1 form" in refused("directory", "verify", tampered)
    assert "No such file" in refused("directory", "verify", tmp_path / "nowhere")
    assert "--anchor" in refused("directory", "verify", note, "--anchor", world / "cn" / "card.json")


def test_anchors_count_beside_a_previous_version_too(world: Path) -> None:
    note = world / "directory.note"
    both = ("directory", "verify", note, "--previous", note)
    assert ok(*both, *anchors(world, "cn", "hk"))["version"] == 1
    assert "step 2 succession" in refused(*both, *anchors(world, "mo"))
    assert "--threshold counts anchors" in refused(*both, "--threshold", 2)


def test_certificates_made_by_the_commands_are_believed(world: Path) -> None:
    directory = unsafe_reopen((world / "directory.note").read_bytes()).directory
    for file, uri in (("gateway.pem", "gateway/hk"), ("officers.pem", "system/hk/officers")):
        peer = authenticate(
            (world / "hk" / "pki" / file).read_bytes(),
            trust_domain=FEDERATION,
            ca_pems=directory.tls_ca_pems("hk"),
            revoked_fingerprints=directory.revoked_certificates,
            now=datetime.now(UTC),
        )
        assert peer.identity.uri == f"spiffe://{FEDERATION}/{uri}"
    assert peer.certificate.dns_names == ()


def test_every_private_key_is_0600_and_the_ca_key_encrypted(world: Path) -> None:
    secrets = [path for path in world.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert len(secrets) == 3 * 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    assert b"ENCRYPTED" in (world / "cn" / "ca" / "ca.key").read_bytes()


def test_a_card_names_what_is_wrong_with_it(world: Path, tmp_path: Path) -> None:
    cn = world / "cn"
    names = ("--node", "cn", "--federation", FEDERATION, "--pki", cn / "pki")
    rest = ("--directory-key", cn / "offline" / "directory.vkey", "--out", tmp_path / "card.json")
    assert "LANGUAGE=NAME" in refused("directory", "card", *names, *rest, "--name", "Customs")
    wrong = refused("directory", "card", *names, *rest, "--name", "pt=Alfândega", "--endpoint", "nowhere")
    assert "display_names.en: is missing" in wrong
    assert "node.endpoints[0]: must be host:port" in wrong
    other = ("--anchor", "other.example/cn/directory+00000000+AA==")
    assert "different federations" in refused(
        "directory", "verify", world / "directory.note", *anchors(world, "cn"), *other
    )


@pytest.mark.parametrize(("file", "member"), [(NEXT_LOG_KEY, "log_keys"), (NEXT_RECEIPTS_KEY, "cosign_keys")])
def test_a_next_key_without_the_other_stays_where_it_belongs(
    world: Path, tmp_path: Path, file: str, member: str
) -> None:
    cn, keys = world / "cn", tmp_path / "pki" / "keys"
    shutil.copytree(cn / "pki", tmp_path / "pki")
    key = create_signing_key(keys / file, name="any")
    names = ("--node", "cn", "--federation", FEDERATION, "--pki", tmp_path / "pki", "--name", "en=Customs cn")
    rest = ("--directory-key", cn / "offline" / "directory.vkey", "--out", tmp_path / "card.json")
    ok("directory", "card", *names, *rest)
    node = json.loads((tmp_path / "card.json").read_bytes())["node"]
    counts = {"log_keys": 1, "cosign_keys": 1} | {member: 2}
    assert {name: len(node[name]) for name in counts} == counts
    assert node[member][1]["public_key"] == base64.b64encode(key.public_key).decode()


def test_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"{" + b" " * (1 << 20) + b"}\n")
    assert "more than" in refused("directory", "show", tmp_path / "large")
    assert "more than" in refused("pki", "show", tmp_path / "large")


def test_an_outdated_directory_is_accepted_with_a_loud_warning(tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=10)
    made = create_federation(tmp_path, [MemberSpec("cn")], now=past, directory_days=5, grace_days=30)
    result = run("directory", "verify", made.directory, "--anchor", made.anchor_vkeys[0], "--json")
    assert result.exit_code == 0
    assert "Warning: directory version 1 expired on" in result.stderr
    assert json.loads(result.stdout)["validity"] == "grace"


def test_a_card_holds_nothing_secret(world: Path) -> None:
    assert b"PRIVATE" not in (world / "cn" / "card.json").read_bytes()


def test_revoking_makes_a_version_that_follows(world: Path, tmp_path: Path) -> None:
    note, draft = world / "directory.note", tmp_path / "next.json"
    lost = world / "mo" / "pki" / "officers.pem"
    ok("directory", "revoke", note, "--certificate", lost, "--out", draft)
    changes = ok("directory", "diff", note, draft)
    assert {change["path"] for change in changes} >= {"version", "revoked_certificates"}
    for node, file in (("mo", draft), ("hk", tmp_path / "next.note")):
        ok(*sign(world, node, file), "--previous", note, "--yes")
    assert ok("directory", "verify", tmp_path / "next.note", "--previous", note)["version"] == 2
    back = refused("directory", "verify", note, "--previous", tmp_path / "next.note")
    assert "step 5 version" in back
    again = refused("directory", "revoke", tmp_path / "next.note", "--certificate", lost, "--out", tmp_path / "x.json")
    assert "revoked already" in again


def test_revoking_a_key_from_a_time_on(world: Path, tmp_path: Path) -> None:
    shown = ok("directory", "show", world / "directory.note")
    key = shown["directory"]["nodes"]["hk"]["log_keys"][0]["public_key"]
    draft = tmp_path / "next.json"
    ok("directory", "revoke", world / "directory.note", "--key", key, "--since", "2026-01-15T08:00:00", "--out", draft)
    after = ok("directory", "show", draft)["directory"]["nodes"]["hk"]["log_keys"][0]
    assert after["revoked_at"] == "2026-01-15T08:00:00Z"
    for wrong, problem in (("AAAA", "44 characters"), ("*", "44 characters")):
        arguments = ("directory", "revoke", world / "directory.note", "--key", wrong, "--out", tmp_path / "y")
        assert problem in refused(*arguments)
    assert "at least one" in refused("directory", "revoke", world / "directory.note", "--out", tmp_path / "y")
    alone = ("--certificate", "cd" * 32, "--unseen", "--since", "2026-01-15T08:00:00")
    assert "--since is for keys" in refused("directory", "revoke", world / "directory.note", *alone, "--out", "y")
    several = [part for name in ("ab", "cd") for part in ("--certificate", name * 32)] + [
        *("--unseen", "--key", key, "--since", "2026-01-15T08:00:00")
    ]
    revoked = ok("directory", "revoke", world / "directory.note", *several, "--out", tmp_path / "several.json")
    assert revoked["revoked"] == [
        f"unseen: {'ab' * 32}",
        f"unseen: {'cd' * 32}",
        f"log key of hk, from 2026-01-15T08:00:00Z on: {key}",
    ]
    shown = ok("directory", "show", tmp_path / "several.json")["directory"]
    assert (shown["version"], shown["revoked_certificates"]) == (2, ["ab" * 32, "cd" * 32])
    assert [record["revoked_at"] is None for node in shown["nodes"].values() for record in node["log_keys"]].count(
        False
    ) == 1
    by_name = ("--certificate", "nothing like it", "--out", tmp_path / "y")
    assert "neither a file, nor" in refused("directory", "revoke", world / "directory.note", *by_name)
    vkey = ok("pki", "show", world / "hk" / "offline" / "directory.vkey")[0]
    for unknown in (vkey["public_key"], (world / "hk" / "offline" / "directory.vkey").read_text().strip()):
        named = ("--key", unknown, "--out", tmp_path / "y")
        assert "no node of this directory" in refused("directory", "revoke", world / "directory.note", *named)


def test_every_named_certificate_is_revoked_however_it_is_named(world: Path, tmp_path: Path) -> None:
    note, issued = world / "directory.note", world / "hk" / "ca" / "issued"
    gateway, officers = ok("pki", "show", world / "hk/pki/gateway.pem", world / "hk/pki/officers.pem")
    (ca, other) = ok("pki", "show", world / "hk" / "ca" / "ca.pem", world / "mo" / "pki" / "officers.pem")
    assert {file.stem for file in issued.iterdir()} == {gateway["serial"], officers["serial"]}
    colons = ":".join(re.findall("..", ca["fingerprint"].upper()))
    names = (gateway["serial"], colons, officers["fingerprint"], world / "mo" / "pki" / "officers.pem")
    options = [part for name in names for part in ("--certificate", name)]
    revoked = ok("directory", "revoke", note, *options, "--issued", issued, "--out", tmp_path / "next.json")
    assert revoked["revoked"] == [
        f"{gateway['identity']}: {gateway['fingerprint']}",
        f"CA of hk: {ca['fingerprint']}",
        f"{officers['identity']}: {officers['fingerprint']}",
        f"{other['identity']}: {other['fingerprint']}",
    ]
    expected = sorted(each["fingerprint"] for each in (gateway, officers, ca, other))
    assert ok("directory", "show", tmp_path / "next.json")["directory"]["revoked_certificates"] == expected
    shown = run("directory", "revoke", note, *options, "--issued", issued, "--out", tmp_path / "again.json")
    assert gateway["identity"] in shown.stdout
    assert "revoked_certificates" in shown.stdout, "what changes is shown"


def test_a_revocation_that_matches_nothing_is_an_error(world: Path, tmp_path: Path) -> None:
    note, issued, hk = world / "directory.note", world / "hk" / "ca" / "issued", world / "hk" / "pki"
    serial = ok("pki", "show", hk / "gateway.pem")[0]["serial"]
    for name in ("ab" * 32, "abcdef", serial):
        problem = refused("directory", "revoke", note, "--certificate", name, "--out", tmp_path / "x.json")
        assert "is none of the directory's CAs" in problem
        assert ("--unseen" in problem) == (len(name) == 64)
    with_issued = ("--issued", world / "mo" / "ca" / "issued", "--out", tmp_path / "x.json")
    assert "is none of" in refused("directory", "revoke", note, "--certificate", serial, *with_issued)
    found = ("--certificate", serial, "--issued", issued)
    one_wrong = (*found, "--certificate", "abcdef", "--out", tmp_path / "x.json")
    assert "abcdef" in refused("directory", "revoke", note, *one_wrong)
    elsewhere = create_federation(tmp_path / "other", [MemberSpec("hk")], now=datetime.now(UTC))
    for file in (elsewhere.node("hk").certificate, elsewhere.node("hk").ca):
        problem = refused("directory", "revoke", note, "--certificate", file, "--out", tmp_path / "x.json")
        assert "no CA of this directory has signed it" in problem
    chain = tmp_path / "chain.pem"
    chain.write_bytes((hk / "gateway.pem").read_bytes() + (hk / "ca.pem").read_bytes())
    assert "has 2 certificates" in refused("directory", "revoke", note, "--certificate", chain, "--out", tmp_path / "x")
    assert not (tmp_path / "x.json").exists()


def test_renewing_refuses_two_cards_of_one_node(world: Path, tmp_path: Path) -> None:
    card = world / "hk" / "card.json"
    twice = ("--card", card, "--card", card, "--out", tmp_path / "x.json")
    assert "two node cards are of the same node" in refused("directory", "renew", world / "directory.note", *twice)


def test_a_card_with_another_ca_adds_it_and_dropping_the_old_one_says_whose_certificates_end(
    world: Path, tmp_path: Path
) -> None:
    """Before, a card replaced the CA without a word, and locked the authority out."""
    old, note = world / "hk", world / "directory.note"
    make_node(tmp_path / "hk", "hk")
    both, new_only = tmp_path / "both.json", tmp_path / "new.json"
    new_ca, old_ca = ((folder / "pki" / "ca.pem").read_text() for folder in (tmp_path / "hk", old))
    renew = ("directory", "renew", note, "--card", tmp_path / "hk" / "card.json")
    added = run(*renew, "--out", both)
    assert added.exit_code == 0, added.output
    assert "stop working" not in added.output
    assert set(decode_directory(both.read_bytes()).nodes["hk"].tls_ca_pems) == {old_ca, new_ca}
    assert "stop working" not in run("directory", "diff", note, both).output
    dropped = run(*renew, "--drop-old-ca", "hk", "--out", new_only)
    assert dropped.exit_code == 0, dropped.output
    assert decode_directory(new_only.read_bytes()).nodes["hk"].tls_ca_pems == (new_ca,)
    for shown in (dropped, run("directory", "diff", note, new_only), run("directory", "diff", both, new_only)):
        assert "certificates of hk that the CA" in " ".join(shown.output.split())
        assert "stop working" in " ".join(shown.output.split())
    assert "give its card" in refused(*renew, "--drop-old-ca", "cn", "--out", tmp_path / "x.json")


def test_renewing_takes_newer_cards_and_terms(world: Path, tmp_path: Path) -> None:
    terms = tmp_path / "terms.toml"
    terms.write_text(
        """
        [[agreements]]
        sender = "cn"
        recipient = "hk"
        message_types = ["Disposition", "AlertEvent"]
        purposes = ["export_control"]
        field_classes = []
        clause = "Article 4"
        valid_until = 2030-01-01T00:00:00Z
        """
    )
    draft = tmp_path / "next.json"
    arguments = ("directory", "renew", world / "directory.note", "--card", world / "hk" / "card.json")
    ok(*arguments, "--terms", terms, "--days", 30, "--out", draft)
    (agreement,) = ok("directory", "show", draft)["directory"]["agreements"]
    assert agreement["id"] == "cn-hk"
    assert agreement["message_types"] == ["AlertEvent", "Disposition"]
    assert agreement["valid_until"] == "2030-01-01T00:00:00Z"
    terms.write_text('[[agreements]]\nsender = "cn"\nwildcard = "*"\n')
    problems = refused(*arguments, "--terms", terms, "--out", tmp_path / "x.json")
    for path in ("agreements[0].recipient", "agreements[0].purposes", "agreements[0].wildcard"):
        assert path in problems
    terms.write_text('agreements = ["not a table"]\nmore = 1\n')
    problems = refused(*arguments, "--terms", terms, "--out", tmp_path / "x.json")
    assert "agreements[0]: must be an object" in problems
    assert "more: unknown member" in problems
    terms.write_text("not toml")
    assert "TOML" in refused(*arguments, "--terms", terms, "--out", tmp_path / "x.json")


def test_removing_a_member_says_what_ends_and_its_card_with_terms_brings_it_back(world: Path, tmp_path: Path) -> None:
    note, draft, back, terms = (
        world / "directory.note",
        *(tmp_path / name for name in ("2.json", "3.json", "terms.toml")),
    )
    gone, stays = NODES[-1], NODES[0]
    remove = ("directory", "remove-member", note)
    assert "names no node 'xx'" in refused(*remove, "xx", "--out", draft)
    assert "can't be met any more" in refused(*remove, gone, "--threshold", len(NODES), "--out", draft)
    assert "before this version is issued" in refused(
        *remove, gone, "--threshold", 1, "--keys-until", "2020-01-01T00:00:00Z", "--out", draft
    )
    assert not draft.exists()
    removed = run(*remove, gone, "--threshold", 1, "--out", draft)
    assert removed.exit_code == 0, removed.output
    for shown in (removed, run("directory", "diff", note, draft)):
        assert f"{gone} is no member any more: its feeds end" in " ".join(shown.output.split())
    listed = ok(*remove, gone, "--threshold", 1, "--out", tmp_path / "listed.json")
    assert [one.partition(":")[0] for one in listed["ends"]] == [f"{gone} is no member any more"]
    assert f"{gone} is no member since version 2" in refused("directory", "remove-member", draft, gone, "--out", back)
    terms.write_text(
        f"""
        [[agreements]]
        between = ["{stays}", "{gone}"]
        message_types = ["AlertEvent", "Disposition"]
        purposes = ["export_control"]
        field_classes = ["INVESTIGATIVE"]
        clause = "Article 4"
        """
    )
    ok("directory", "renew", draft, "--card", world / gone / "card.json", "--terms", terms, "--out", back)
    made = decode_directory(back.read_bytes())
    assert made.former_members == {}
    ids = {agreement.id for agreement in made.agreements}
    assert {f"{stays}-{gone}", f"{gone}-{stays}", f"{stays}-{gone}.2", f"{gone}-{stays}.2"} <= ids


def test_a_draft_without_terms_allows_alerts_alone_and_says_so(world: Path, tmp_path: Path) -> None:
    cards = [world / node / "card.json" for node in NODES]
    shown = run("directory", "draft", *cards, "--out", tmp_path / "directory.json")
    assert shown.exit_code == 0, shown.output
    directory = decode_directory((tmp_path / "directory.json").read_bytes())
    assert len(directory.agreements) == 6
    for agreement in directory.agreements:
        assert agreement.message_types == {"AlertEvent"}
        assert agreement.purposes == {"export_control"}
        assert agreement.field_classes == {"INVESTIGATIVE"}
        assert not agreement.hit_reports
    for words in ("alerts (AlertEvent)", "Purposes: export_control", "Withheld: COMMERCIAL, PERSONAL"):
        assert words in shown.stdout
    assert "WatchlistEvent" not in shown.stdout
    for command in (sign(world, "cn", tmp_path / "directory.json"), sign(world, "hk", tmp_path / "directory.note")):
        signed = run(*command, "--yes")
        assert "alerts (AlertEvent)" in signed.stdout, "what is signed is shown, without a question too"
    as_json = ok(*sign(world, "mo", tmp_path / "directory.note"), "--yes")
    assert [each["message_types"] for each in as_json["agreements"]] == [["AlertEvent"]] * 6


GROUP = """
[[agreements]]
between = ["cn", "hk", "mo"]
message_types = ["AlertEvent", "HistoryQuery", "HistoryRecord", "WatchlistEvent"]
purposes = ["export_control", "smuggling"]
field_classes = ["COMMERCIAL", "INVESTIGATIVE", "PERSONAL"]
clause = "Article 1"
hit_reports = true
"""


def test_one_table_of_terms_stands_for_every_direction_between_nodes(world: Path, tmp_path: Path) -> None:
    terms, made = tmp_path / "terms.toml", tmp_path / "directory.json"
    terms.write_text(GROUP)
    shown = run(*drafting(world, terms, made))
    assert shown.exit_code == 0, shown.output
    agreements = decode_directory(made.read_bytes()).agreements
    assert [each.id for each in agreements] == ["cn-hk", "cn-mo", "hk-cn", "hk-mo", "mo-cn", "mo-hk"]
    assert {(f"{each.sender}-{each.recipient}", each.hit_reports) for each in agreements} == {
        (each.id, True) for each in agreements
    }
    assert shown.stdout.count("Messages:") == 1, "equal terms are one row"
    assert "Hits: reported back for export_control, smuggling" in shown.stdout
    terms.write_text(GROUP.replace("[[agreements]]", '[[agreements]]\nid = "gba"'))
    ok(*drafting(world, terms, tmp_path / "named.json"))
    named = decode_directory((tmp_path / "named.json").read_bytes()).agreements
    assert {each.id for each in named} == {f"gba/{each.id}" for each in agreements}
    for wrong in ('["cn"]', '["cn", "cn"]', '"cn"', '["cn", 1]'):
        terms.write_text(GROUP.replace('["cn", "hk", "mo"]', wrong))
        assert "agreements[0].between" in refused(*drafting(world, terms, tmp_path / "x.json"))
    terms.write_text(GROUP.replace("clause", 'sender = "cn"\nclause'))
    assert "agreements[0].between" in refused(*drafting(world, terms, tmp_path / "x.json"))
    terms.write_text(GROUP.replace('"export_control"', '"Export"'))
    assert refused(*drafting(world, terms, tmp_path / "x.json")).count("purposes") == 1, "one problem, not six"


def test_terms_that_allow_less_than_they_seem_to_are_warned_of(world: Path, tmp_path: Path) -> None:
    terms = tmp_path / "terms.toml"
    one_way = GROUP.replace('between = ["cn", "hk", "mo"]', 'sender = "cn"\nrecipient = "hk"')
    terms.write_text(one_way.replace("WatchlistEvent", "WatchListEvent") + "valid_until = 2026-12-31T00:00:00Z\n")
    shown = run(*drafting(world, terms, tmp_path / "a.json"))
    assert "Warning: cn-hk: this version knows no messages WatchListEvent" in shown.stderr
    assert "Warning: cn-hk ends at 2026-12-31T00:00:00Z, before the directory expires" in shown.stderr
    assert "hk → cn" in shown.stdout, "directions without an agreement are shown too"
    assert "nothing" in shown.stdout
    terms.write_text(one_way)
    shown = run(*drafting(world, terms, tmp_path / "b.json"))
    assert "hits on list entries are reported for nothing only" in shown.stderr
    assert "Hits: not reported" in shown.stdout


OPERATING = Path(__file__).parents[4] / "docs" / "operating.md"
(PARTED, ONWARD) = re.findall(r"```toml\n(\[\[agreements\]\].*?)```", OPERATING.read_text("utf-8"), flags=re.DOTALL)
"""Terms for two purposes, and such as let answers be passed on, as the documentation has them."""


def drafting(world: Path, terms: Path, out: Path) -> tuple[object, ...]:
    cards = [world / node / "card.json" for node in NODES]
    return ("directory", "draft", *cards, "--terms", terms, "--out", out)


def test_a_direction_may_have_other_terms_for_other_purposes(world: Path, tmp_path: Path) -> None:
    terms, made = tmp_path / "terms.toml", tmp_path / "parted.json"
    terms.write_text(PARTED)
    ok(*drafting(world, terms, made))
    agreements = ok("directory", "show", made)["directory"]["agreements"]
    assert [(each["id"], each["purposes"], each["field_classes"]) for each in agreements] == [
        ("hk-cn-export-control", ["export_control", "licence_enforcement"], ["COMMERCIAL"]),
        ("hk-cn-smuggling", ["smuggling"], ["COMMERCIAL", "INVESTIGATIVE", "PERSONAL"]),
    ]
    shown = run("directory", "show", made).stdout
    _, _, export = shown.partition("hk → cn (hk-cn-export-control)")
    export, _, smuggling = export.partition("hk → cn (hk-cn-smuggling)")
    assert "article 6" in export
    assert "Withheld: INVESTIGATIVE, PERSONAL" in export
    assert "COMMERCIAL, INVESTIGATIVE, PERSONAL" in smuggling
    assert "article 5" in smuggling


def test_terms_may_let_answers_be_passed_on(world: Path, tmp_path: Path) -> None:
    terms, made = tmp_path / "terms.toml", tmp_path / "onward.json"
    terms.write_text(ONWARD)
    ok(*drafting(world, terms, made))
    (agreement,) = decode_directory(made.read_bytes()).agreements
    assert agreement.onward_recipients == {"mo"}
    assert "Answers may be passed on to: mo" in run("directory", "show", made).stdout
    terms.write_text(ONWARD.replace("onward_recipients", "onward_recipient"))
    ok(*drafting(world, terms, tmp_path / "misspelt.json"))
    assert "Answers may be passed on to: nobody" in run("directory", "show", tmp_path / "misspelt.json").stdout


def test_terms_that_would_leave_open_which_agreement_counts_are_refused(world: Path, tmp_path: Path) -> None:
    terms, made = tmp_path / "terms.toml", tmp_path / "parted.json"
    terms.write_text(PARTED.replace('["smuggling"]', '["export_control", "smuggling"]'))
    problem = refused(*drafting(world, terms, made))
    assert "agreements[1].purposes: hk-cn-export-control covers the same" in problem
    assert "both name export_control" in problem
    terms.write_text(PARTED.replace('["smuggling"]', "[]"))
    assert "both must name purposes" in refused(*drafting(world, terms, made))
    without_ids = "".join(line for line in PARTED.splitlines(keepends=True) if not line.startswith("id"))
    terms.write_text(without_ids)
    problem = refused(*drafting(world, terms, made))
    for index in (0, 1):
        assert f"agreements[{index}].id: is missing; another agreement has this sender and recipient" in problem
    assert not made.exists()
    terms.write_text(PARTED.replace('id = "hk-cn-export-control"\n', ""))
    ok(*drafting(world, terms, made))
    assert [each["id"] for each in ok("directory", "show", made)["directory"]["agreements"]] == [
        "hk-cn",
        "hk-cn-smuggling",
    ]


def test_signing_asks_and_takes_no_for_an_answer(world: Path, tmp_path: Path) -> None:
    draft = tmp_path / "directory.json"
    draft.write_bytes((world / "directory.json").read_bytes())
    assert "nothing was signed" in refused(*sign(world, "mo", draft), answer="n\n")
    assert not (tmp_path / "directory.note").exists()
    agreed = run(*sign(world, "mo", draft), answer="y\n")
    assert agreed.exit_code == 0, agreed.output
    assert "Article" not in agreed.stdout
    assert "export_control" in agreed.stdout  # what is signed was shown
    assert (tmp_path / "directory.note").exists()
    assert "never asks" in run(*sign(world, "mo", draft), "--json").stderr


def test_only_a_named_key_signs(world: Path, tmp_path: Path) -> None:
    draft = tmp_path / "directory.json"
    draft.write_bytes((world / "directory.json").read_bytes())
    wrong = ("directory", "sign", draft, "--authority", "cn", "--key", world / "hk" / "offline" / "directory.pem")
    assert "names another key" in refused(*wrong, "--yes")
    draft.write_bytes(draft.read_bytes().replace(b'"version": 1', b'"version": 0'))
    assert "version: must be an integer" in refused(*sign(world, "cn", draft), "--yes")


def test_nothing_is_overwritten(world: Path) -> None:
    cn = world / "cn"
    names = ("--node", "cn", "--federation", FEDERATION)
    for arguments in (
        ("pki", "init-ca", *names, "--out", cn / "ca"),
        ("pki", "request", "--kind", "gateway", *names, "--out", cn / "pki"),
        ("pki", "signing-keys", *names, "--out", cn / "pki" / "keys"),
        ("pki", "directory-key", "--authority", "cn", "--federation", FEDERATION, "--out", cn / "offline"),
        ("directory", "draft", cn / "card.json", "--out", world / "directory.json"),
    ):
        assert "exists already" in refused(*arguments)


def test_issuing_asks_unless_told_what_to_expect(world: Path, tmp_path: Path) -> None:
    cn = world / "cn"
    arguments = ("pki", "issue", "--ca", cn / "ca", cn / "pki" / "gateway.csr", "--passphrase-env", "CA_PASS")
    out = ("--out", tmp_path / "new.pem")
    assert "nothing was signed" in refused(*arguments, *out, answer="n\n", CA_PASS="far away")
    agreed = run(*arguments, *out, answer="y\n", CA_PASS="far away")
    assert agreed.exit_code == 0, agreed.output
    assert "cn.example" in agreed.stdout
    expected = f"spiffe://{FEDERATION}/gateway/cn"
    again = ok(*arguments, *out, "--identity", expected, "--days", 7, CA_PASS="far away")  # renewal replaces
    assert again["identity"] == expected
    for identity, problem in ((f"spiffe://{FEDERATION}/gateway/hk", "isn't of this CA"), ("cn", "--identity")):
        assert problem in refused(*arguments, *out, "--identity", identity, CA_PASS="far away")
    assert "passphrase is wrong" in refused(*arguments, *out, "--yes", CA_PASS="wrong")
    assert "CA_PASS" in refused(*arguments, *out, "--yes")
    assert "days" in refused(*arguments, *out, "--yes", "--days", 4000, CA_PASS="far away")


def test_a_partners_request_is_not_signed_by_this_ca(world: Path, tmp_path: Path) -> None:
    arguments = ("pki", "issue", "--ca", world / "cn" / "ca", world / "hk" / "pki" / "gateway.csr", "--yes")
    passphrase = ("--passphrase-env", "CA_PASS", "--out", tmp_path / "x.pem")
    assert "isn't of this CA" in refused(*arguments, *passphrase, CA_PASS="far away")
    assert not (tmp_path / "x.pem").exists()


def test_request_wants_a_name_for_a_system_alone(tmp_path: Path) -> None:
    shared = ("--node", "cn", "--federation", FEDERATION, "--out", tmp_path)
    assert "--name" in refused("pki", "request", "--kind", "system", *shared)
    assert "--name" in refused("pki", "request", "--kind", "gateway", "--name", "x", *shared)
    assert "isn't an IP address" in refused("pki", "request", "--kind", "gateway", "--ip", "nowhere", *shared)
    assert list(tmp_path.iterdir()) == []


def test_show_says_what_a_file_is_and_nothing_secret(world: Path, tmp_path: Path) -> None:
    cn = world / "cn"
    files = [
        cn / "ca" / "ca.pem",
        cn / "ca" / "ca.key",
        cn / "pki" / "gateway.pem",
        cn / "pki" / "officers.pem",
        cn / "pki" / "officers.key",
        cn / "pki" / "gateway.csr",
        cn / "pki" / "keys" / "log.pem",
        cn / "offline" / "directory.vkey",
    ]
    shown = ok("pki", "show", *files)
    assert [each["kind"] for each in shown] == [
        "CA certificate",
        "private key",
        "gateway certificate",
        "system certificate",
        "TLS key, ECDSA secp256r1",
        "certificate signing request",
        "signing key, Ed25519",
        "verifier key",
    ]
    assert shown[2]["status"] == "valid, 89 days left"
    assert "days left" in run("pki", "show", cn / "pki" / "gateway.pem").stdout
    noise = tmp_path / "noise"
    noise.write_bytes(os.urandom(100))
    assert "noise: neither certificate" in refused("pki", "show", noise)


def test_tables_are_for_people(world: Path, tmp_path: Path) -> None:
    shown = run("directory", "show", world / "directory.note")
    assert shown.exit_code == 0, shown.output
    for word in ("not verified here", "Customs mo", "2 of 3 authorities", "in force", "cn.example:7443"):
        assert word in shown.stdout
    same = run("directory", "diff", world / "directory.note", world / "directory.json")
    assert "No differences" in same.stdout
    assert ok("directory", "diff", world / "directory.note", world / "directory.json") == []


def test_a_full_circle_ends_in_a_trusted_directory(world: Path, tmp_path: Path) -> None:
    """The third authority signs too, later; the version stays the same one."""
    note = tmp_path / "directory.note"
    note.write_bytes((world / "directory.note").read_bytes())
    two = unsafe_reopen(note.read_bytes())
    signed = ok(*sign(world, "mo", note), "--yes")
    assert len(signed["signatures"]) == 3
    assert accept(note.read_bytes(), now=datetime.now(UTC), previous=two).version == 1


@pytest.mark.parametrize("command", ["init-ca", "request", "issue", "signing-keys", "directory-key", "show"])
def test_pki_help_has_an_example(command: str) -> None:
    shown = run("pki", command, "--help")
    assert shown.exit_code == 0
    assert f"gateway pki {command}" in shown.stdout


@pytest.mark.parametrize(
    "command", ["card", "draft", "renew", "remove-member", "revoke", "sign", "verify", "show", "diff"]
)
def test_directory_help_has_an_example(command: str) -> None:
    shown = run("directory", command, "--help")
    assert shown.exit_code == 0
    assert f"gateway directory {command}" in shown.stdout
