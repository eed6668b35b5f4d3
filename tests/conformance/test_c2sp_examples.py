"""The examples and numbers that the C2SP specifications and RFC 6962's reference implementations give.

signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof and tlog-tiles.
"""

from __future__ import annotations

import pytest

from gateway.errors import SignatureInvalidError
from gateway.tlog.checkpoint import Checkpoint, cosign, parse_checkpoint_body, sign_checkpoint, verify_checkpoint
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.note import (
    UnverifiedNote,
    Verifier,
    cosigned_message,
    open_note,
    parse_note,
    parse_signature_line,
    sign_note,
)
from tests.support.published_tiles import tile_path, tiles_of
from tests.support.tlog_keys import TestKey

# signed-note, section Example
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()

# signed-note, introduction; its key isn't published
POEM_NOTE = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
""".encode()  # noqa: E501

# tlog-cosignature, introduction (tlog-checkpoint has the same without the last line)
SOFA_NOTE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
""".encode()  # noqa: E501

# The Go checksum database, a public log: its published key, and a tree head it signed.
SUMDB_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_NOTE = """go.sum database tree
6476701
mb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=

— sum.golang.org Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=
""".encode()

# golang.org/x/mod/sumdb/note, examples: verifier key, its private seed's note, and a note of two signatures
NEUMANN_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=
""".encode()

# Leaf data and roots at sizes 0 to 8 that the implementations of RFC 6962 share as test vectors
RFC6962_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
RFC6962_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_signed_note_example_verifies_under_its_key() -> None:
    verifier = Verifier.from_vkey(EXAMPLE_VKEY)
    assert verifier.to_vkey() == EXAMPLE_VKEY
    assert verifier.key_id.hex() == "530d903a"
    assert open_note(EXAMPLE_NOTE, [verifier]).text == b"This is an example message.\n"


@pytest.mark.parametrize("note", [EXAMPLE_NOTE, POEM_NOTE, SOFA_NOTE, SUMDB_NOTE, NEUMANN_NOTE])
def test_every_example_is_canonical(note: bytes) -> None:
    assert parse_note(note).encode() == note


def test_blank_lines_in_the_text() -> None:
    assert parse_note(POEM_NOTE).unverified_text.decode().splitlines()[2:] == ["", "ed è subito sera."]
    assert parse_note(POEM_NOTE).signatures[0].name == "quasimodo.example/salvatore"


def test_go_notes_verify_and_their_unknown_second_signature_is_ignored() -> None:
    verified = open_note(NEUMANN_NOTE, [Verifier.from_vkey(NEUMANN_VKEY)])
    assert [each.verifier.name for each in verified.signatures] == ["PeterNeumann"]


def test_go_checksum_database_tree_head() -> None:
    verified = open_note(SUMDB_NOTE, [Verifier.from_vkey(SUMDB_VKEY)])
    assert parse_checkpoint_body(verified.text).size == 6476701


def test_checkpoint_example() -> None:
    checkpoint = parse_checkpoint_body(parse_note(SOFA_NOTE).unverified_text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert checkpoint.body() == parse_note(SOFA_NOTE).unverified_text


def test_checkpoint_example_is_a_tree_head_of_the_go_checksum_database() -> None:
    """The example renames a real tree head; the signature still has that log's key id and verifies over its text."""
    example = parse_note(SOFA_NOTE)
    signature = example.signatures[0]
    verifier = Verifier.from_vkey(SUMDB_VKEY)
    assert signature.key_id == verifier.key_id
    text = example.unverified_text.replace(b"example.com/behind-the-sofa", b"go.sum database tree")
    original = UnverifiedNote(
        text, (parse_signature_line(signature.line().replace(b"example.com/behind-the-sofa", b"sum.golang.org")),)
    ).encode()
    assert open_note(original, [verifier]).text == text
    with pytest.raises(SignatureInvalidError):
        open_note(original.replace(b"20852163", b"20852164"), [verifier])


def test_cosignature_example_has_the_layout_and_time_that_the_text_states() -> None:
    signature = parse_note(SOFA_NOTE).signatures[1].signature
    assert len(signature) == 72
    assert int.from_bytes(signature[:8], "big") == 1679315147
    assert cosigned_message(parse_note(SOFA_NOTE).unverified_text, 1679315147).decode() == (
        "cosignature/v1\n"
        "time 1679315147\n"
        "example.com/behind-the-sofa\n"
        "20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_what_we_write_looks_like_the_examples() -> None:
    log, cosigner = TestKey("example.com/behind-the-sofa"), TestKey("witness.example.com/w1", "2")
    head = parse_checkpoint_body(parse_note(SOFA_NOTE).unverified_text)
    ours = sign_checkpoint(head, log)
    ours += cosign(ours, cosigner, 1679315147)
    assert [len(line) for line in ours.splitlines()] == [len(line) for line in SOFA_NOTE.splitlines()]
    assert verify_checkpoint(ours, log.verifier(), log.name).checkpoint == head
    assert len(sign_note(b"This is an example message.\n", [TestKey("example.com/foo")])) == len(EXAMPLE_NOTE)


def test_tiles_example_of_70_000_leaves() -> None:
    tiles = list(tiles_of(70_000))
    assert sum(1 for level, _, width in tiles if (level, width) == (0, 256)) == 273
    assert [tile for tile in tiles if tile[2] != 256] == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert [tile for tile in tiles if tile[0] == 1] == [(1, 0, 256), (1, 1, 17)]


def test_tiles_example_of_256_leaves() -> None:
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]


def test_tile_path_example() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"


def test_rfc_6962_vectors() -> None:
    tree = Tree.empty()
    roots = [tree.root]
    for leaf in RFC6962_LEAVES:
        tree = tree.append([leaf_hash(bytes.fromhex(leaf))]).tree
        roots.append(tree.root)
    assert [root.hex() for root in roots] == RFC6962_ROOTS
    assert Checkpoint("empty.example", 0, roots[0]).size == 0
