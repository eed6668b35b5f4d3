"""Signed notes and verifier keys: canonical or refused; a flipped bit anywhere in what a known key signed is found."""

from __future__ import annotations

import base64
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError, GatewayError, MalformedError, SignatureInvalidError, TooLargeError
from gateway.tlog.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    NoteSignature,
    SignatureType,
    Verifier,
    add_signature,
    open_note,
    parse_note,
    parse_signature_line,
    sign_note,
    verify_signature,
)
from tests.support.tlog_keys import SecondTestKey, TestKey

CN = TestKey("gba.customs.example/cn/directory", "cn")
HK = TestKey("gba.customs.example/hk/directory", "hk")
MO = TestKey("gba.customs.example/mo/directory", "mo")
TEXT = "版本 1\n\nzh-Hant\n".encode()
NOTE = sign_note(TEXT, [CN, HK])

texts = (
    st.lists(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), max_size=12), max_size=6)
    .map(lambda lines: "\n".join([*lines, ""]).encode())
    .filter(bool)
)
names = st.text(
    st.characters(min_codepoint=0x21, exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"], exclude_characters="+"),
    min_size=1,
    max_size=20,
)


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class TestSigning:
    def test_a_signed_note_opens(self) -> None:
        note = open_note(NOTE, [CN.verifier(), HK.verifier()], threshold=2)
        assert note.text == TEXT
        assert [each.verifier for each in note.signatures] == [CN.verifier(), HK.verifier()]
        assert [each.timestamp for each in note.signatures] == [None, None]

    @given(texts, st.lists(names, min_size=1, max_size=4, unique=True))
    def test_any_text_and_names_round_trip(self, text: bytes, key_names: list[str]) -> None:
        keys = [TestKey(name, name) for name in key_names]
        note = sign_note(text, keys)
        assert parse_note(note).unverified_text == text
        assert parse_note(note).encode() == note
        assert open_note(note, [key.verifier() for key in keys], threshold=len(keys)).text == text

    @pytest.mark.parametrize("text", [b"", b"no newline", b"tab\t\n", b"\x00\n", b"return\r\n", b"\xff\n"])
    def test_other_texts_cannot_be_signed(self, text: bytes) -> None:
        with pytest.raises(MalformedError):
            sign_note(text, [CN])

    def test_a_note_needs_a_signer(self) -> None:
        with pytest.raises(MalformedError):
            sign_note(TEXT, [])

    @pytest.mark.parametrize(
        "name", ["", " ", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "a\x00b", "\ud800", "a\x1cb"]
    )
    def test_what_is_not_a_key_name(self, name: str) -> None:
        with pytest.raises(MalformedError):
            sign_note(TEXT, [TestKey(name)])
        with pytest.raises(MalformedError):
            Verifier(name, CN.public_key)

    def test_what_could_not_be_read_is_not_written(self) -> None:
        with pytest.raises(TooLargeError):
            sign_note(b"x" * MAX_NOTE_BYTES + b"\n", [CN])
        with pytest.raises(TooLargeError):
            sign_note(TEXT, [TestKey(f"k{number}") for number in range(MAX_SIGNATURES + 1)])


class TestOpening:
    @given(st.integers(0, len(NOTE) * 8 - 1))
    def test_any_flipped_bit_is_found(self, bit: int) -> None:
        with pytest.raises((MalformedError, SignatureInvalidError)):
            open_note(flip(NOTE, bit), [CN.verifier(), HK.verifier()], threshold=2)

    def test_unknown_keys_are_ignored(self) -> None:
        assert len(open_note(NOTE, [HK.verifier(), MO.verifier()]).signatures) == 1

    def test_no_known_key(self) -> None:
        with pytest.raises(SignatureInvalidError):
            open_note(NOTE, [MO.verifier()])
        with pytest.raises(SignatureInvalidError):
            open_note(NOTE, [])

    def test_the_same_name_with_another_key_is_unknown(self) -> None:
        with pytest.raises(SignatureInvalidError, match="0 known keys"):
            open_note(NOTE, [TestKey(CN.name, "another").verifier()])

    def test_a_known_keys_wrong_signature_condemns_the_note(self) -> None:
        wrong = NoteSignature(HK.name, HK.verifier().key_id, bytes(64)).line()
        note = sign_note(TEXT, [CN]) + wrong
        assert open_note(note, [CN.verifier()]).text == TEXT
        with pytest.raises(SignatureInvalidError) as caught:
            open_note(note, [CN.verifier(), HK.verifier()])
        assert caught.value.step == f"signature of {HK.name}"

    def test_a_repeated_signature_is_verified_and_counts_once(self) -> None:
        repeated = NOTE + NOTE.splitlines(keepends=True)[-1]
        assert len(open_note(repeated, [HK.verifier()]).signatures) == 2
        with pytest.raises(SignatureInvalidError):
            open_note(repeated, [HK.verifier()], threshold=2)
        spoilt = NOTE + NoteSignature(HK.name, HK.verifier().key_id, bytes(64)).line()
        with pytest.raises(SignatureInvalidError):
            open_note(spoilt, [HK.verifier()])

    def test_one_key_under_two_names_counts_once(self) -> None:
        twin = TestKey("gba.customs.example/twin", "cn")
        note = sign_note(TEXT, [CN, twin])
        known = [CN.verifier(), twin.verifier()]
        assert len(open_note(note, known).signatures) == 2
        with pytest.raises(SignatureInvalidError, match="signed by 1 known key; 2 are needed"):
            open_note(note, known, threshold=2)

    def test_a_key_given_twice_is_one_key(self) -> None:
        assert open_note(NOTE, [CN.verifier(), CN.verifier()]).text == TEXT

    @pytest.mark.parametrize("threshold", [0, -1])
    def test_a_threshold_that_asks_for_nothing(self, threshold: int) -> None:
        with pytest.raises(ConfigurationError):
            open_note(NOTE, [CN.verifier()], threshold)

    def test_two_known_keys_with_one_name_and_id(self) -> None:
        other = TestKey(CN.name, "another").verifier()
        object.__setattr__(other, "key_id", CN.verifier().key_id)  # such a pair takes some 2^16 keys to find
        with pytest.raises(ConfigurationError):
            open_note(NOTE, [CN.verifier(), other])

    @pytest.mark.parametrize("length", [1, 63, 65, 72])
    def test_a_signature_of_another_length(self, length: int) -> None:
        note = TEXT + b"\n" + NoteSignature(CN.name, CN.verifier().key_id, bytes(length)).line()
        with pytest.raises(SignatureInvalidError):
            open_note(note, [CN.verifier()])

    def test_a_signature_of_another_key(self) -> None:
        signature = parse_note(NOTE).signatures[0]
        with pytest.raises(SignatureInvalidError):
            verify_signature(TEXT, signature, HK.verifier())


class TestParsing:
    def test_blank_lines_belong_to_the_text(self) -> None:
        for text in (b"\n", b"\n\n", b"a\n\n\n", "— not a signature\n\nafter\n".encode()):
            assert parse_note(sign_note(text, [CN])).unverified_text == text

    @given(st.binary(max_size=60) | st.text("— a\nA=+\t", max_size=40).map(str.encode))
    def test_what_parses_encodes_the_same(self, data: bytes) -> None:
        for note in (data, TEXT + b"\n" + data, NOTE + data):
            try:
                parsed = parse_note(note)
            except MalformedError:
                continue
            assert parsed.encode() == note

    @given(st.binary(max_size=400))
    def test_nothing_but_the_tree_of_errors_escapes(self, data: bytes) -> None:
        with pytest.raises(GatewayError):
            open_note(data, [CN.verifier()])

    @pytest.mark.parametrize(
        "note",
        [
            b"",
            b"\n",
            TEXT,
            TEXT + b"\n",
            TEXT + b"\n\n",
            NOTE[:-1],
            NOTE + b"\n",
            NOTE + b"x\n",
            NOTE.replace("—".encode(), b"-"),
            NOTE.replace(b"\n", b"\r\n"),
            NOTE.replace("— ".encode(), "—\u00a0".encode()),
            NOTE.replace("— ".encode(), "—  ".encode()),
            NOTE.replace("— ".encode(), " — ".encode()),
            b"\t" + NOTE,
            b"\xff" + NOTE,
            TEXT + "\n— name\n".encode(),
            TEXT + "\n— name \n".encode(),
            TEXT + "\n—  AAAAAAA=\n".encode(),
            TEXT + "\n— na+me AAAAAAA=\n".encode(),
            TEXT + "\n— name AAAAAA==\n".encode(),
            TEXT + "\n— name AAAAAAB=\n".encode(),
            TEXT + "\n— name AAAAAAA\n".encode(),
            TEXT + "\n— name AAAAAAA= \n".encode(),
        ],
    )
    def test_other_forms_are_refused(self, note: bytes) -> None:
        with pytest.raises(MalformedError):
            parse_note(note)

    def test_signatures_of_unknown_types_are_kept(self) -> None:
        line = NoteSignature("post.quantum", b"\x01\x02\x03\x04", bytes(2428)).line()
        note = parse_note(NOTE + line)
        assert len(note.signatures[2].signature) == 2428
        assert note.encode() == NOTE + line

    def test_limits_come_first(self) -> None:
        line = NoteSignature("k", bytes(4), b"\x01").line()
        at_most = TEXT + b"\n" + line * MAX_SIGNATURES
        assert len(parse_note(at_most).signatures) == MAX_SIGNATURES
        with pytest.raises(TooLargeError):
            parse_note(at_most + line)
        with pytest.raises(TooLargeError):
            parse_note(b"\xff" * (MAX_NOTE_BYTES + 1))
        with pytest.raises(TooLargeError):
            parse_signature_line(b"\xff" * (MAX_NOTE_BYTES + 1))

    def test_sixteen_signatures_are_accepted(self) -> None:
        keys = [TestKey(f"key{number}", f"{number}") for number in range(16)]
        note = sign_note(TEXT, keys)
        assert len(open_note(note, [key.verifier() for key in keys], threshold=16).signatures) == 16


class TestAdding:
    def test_a_line_is_added_at_the_end_and_once(self) -> None:
        line = sign_note(TEXT, [MO]).splitlines(keepends=True)[-1]
        longer = add_signature(NOTE, line)
        assert longer == NOTE + line
        assert add_signature(longer, line) == longer

    @pytest.mark.parametrize(
        "line", [b"", b"\n", b"x\n", "— name AAAAAAA=".encode(), "— a AAAAAAA=\n— b AAAAAAA=\n".encode()]
    )
    def test_what_is_not_one_line_is_refused(self, line: bytes) -> None:
        with pytest.raises(MalformedError):
            add_signature(NOTE, line)

    def test_nothing_is_added_to_what_is_not_a_note(self) -> None:
        with pytest.raises(MalformedError):
            add_signature(TEXT, NoteSignature("k", bytes(4), b"\x01").line())

    def test_no_note_grows_beyond_what_is_read(self) -> None:
        line = NoteSignature("k", bytes(4), b"\x01").line()
        full = TEXT + b"\n" + line * MAX_SIGNATURES
        with pytest.raises(TooLargeError):
            add_signature(full, NoteSignature("k", bytes(4), b"\x02").line())


class TestVerifierKeys:
    @given(names, st.sampled_from(SignatureType))
    def test_they_round_trip(self, name: str, algorithm: SignatureType) -> None:
        key = SecondTestKey(name) if algorithm is SignatureType.ML_DSA_44 else TestKey(name)
        verifier = Verifier(name, key.public_key, algorithm)
        assert Verifier.from_vkey(verifier.to_vkey()) == verifier
        assert len(verifier.key_id) == 4

    def test_types_have_different_key_ids(self) -> None:
        assert CN.verifier().key_id != CN.cosigner().key_id
        assert CN.verifier() != CN.cosigner()

    @given(st.text("abc+/=0123456789AQ \n", max_size=60), st.integers(0, 100))
    def test_what_parses_writes_the_same(self, text: str, at: int) -> None:
        vkey = CN.verifier().to_vkey()
        for candidate in (text, vkey[:at] + text + vkey[at:], vkey[:at] + vkey[at + 1 :]):
            try:
                parsed = Verifier.from_vkey(candidate)
            except MalformedError:
                continue
            assert parsed.to_vkey() == candidate == vkey

    @pytest.mark.parametrize(
        "vkey",
        [
            "",
            "name",
            "name+00000000",
            "name+00000000+",
            CN.verifier().to_vkey().replace("+", "+0", 1),
            f"{CN.name}+{CN.verifier().key_id.hex().upper()}0+{CN.verifier().to_vkey().split('+', 2)[2]}",
            f"{CN.name}+00000000+{CN.verifier().to_vkey().split('+', 2)[2]}",
            CN.verifier().to_vkey() + "\n",
            CN.verifier().to_vkey() + "é",
            "\ud800" + CN.verifier().to_vkey(),
        ],
    )
    def test_other_forms_are_refused(self, vkey: str) -> None:
        with pytest.raises(MalformedError):
            Verifier.from_vkey(vkey)

    @pytest.mark.parametrize("algorithm", [0, 2, 3, 5, 7, 255])
    def test_other_types_are_refused(self, algorithm: int) -> None:
        material = base64.b64encode(bytes([algorithm]) + CN.public_key).decode()
        with pytest.raises(MalformedError, match="signature type"):
            Verifier.from_vkey(f"{CN.name}+00000000+{material}")
        with pytest.raises(MalformedError):
            Verifier(CN.name, CN.public_key, cast("SignatureType", algorithm))

    @pytest.mark.parametrize("length", [0, 31, 33])
    def test_keys_of_another_length_are_refused(self, length: int) -> None:
        with pytest.raises(MalformedError):
            Verifier("name", bytes([9]) * length)


class TestSmallOrderKeys:
    """The list of weak keys against the curve's own arithmetic (RFC 8032, section 5.1), written from its formulas."""

    P = 2**255 - 19
    D = -121665 * pow(121666, -1, P) % P

    def x_of(self, y: int) -> int | None:
        square = (y * y - 1) * pow(self.D * y * y + 1, -1, self.P) % self.P
        x = pow(square, (self.P + 3) // 8, self.P)
        if (x * x - square) % self.P:
            x = x * pow(2, (self.P - 1) // 4, self.P) % self.P
        return x if (x * x - square) % self.P == 0 else None

    def double(self, point: tuple[int, int]) -> tuple[int, int]:
        x, y = point
        product = self.D * x * x * y * y % self.P
        return (
            2 * x * y * pow(1 + product, -1, self.P) % self.P,
            (y * y + x * x) * pow(1 - product, -1, self.P) % self.P,
        )

    def is_small(self, y: int) -> bool:
        x = self.x_of(y % self.P)
        if x is None:
            return False
        point = (x, y % self.P)
        for _ in range(3):
            point = self.double(point)
        return point == (0, 1)

    @pytest.mark.parametrize("sign", [0, 0x80])
    @pytest.mark.parametrize(
        "y",
        [
            0,
            1,
            P - 1,
            P,
            P + 1,
            int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
            int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
        ],
    )
    def test_weak_keys_are_refused(self, y: int, sign: int) -> None:
        assert self.is_small(y)
        key = bytearray(y.to_bytes(32, "little"))
        key[31] |= sign
        with pytest.raises(MalformedError, match="small order"):
            Verifier("name", bytes(key))

    def test_the_list_is_complete(self) -> None:
        # The eight points have y = 0, 1, -1 and two of order 8, one the other's negative; non-canonical encodings
        # exist for y < 19 alone.
        roots = [y for y in range(2, 19) if self.is_small(y)]
        assert roots == []
        order_8 = int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
        )
        assert self.is_small(self.P - order_8)
        assert (self.P - order_8).to_bytes(32, "little").hex().startswith("c7176a70")

    def test_ordinary_keys_are_not(self) -> None:
        assert not self.is_small(int.from_bytes(CN.public_key, "little") & (2**255 - 1))
        assert CN.verifier().public_key == CN.public_key
