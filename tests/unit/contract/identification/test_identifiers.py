"""Identifiers against the shared vectors, independent oracles of the algorithms, and hostile input."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.identification import identifiers
from gateway.contract.identification.code_lists import COUNTRIES, MARITIME_IDENTIFICATION_DIGITS
from gateway.contract.identification.identifiers import (
    MAX_VALUE_CHARS,
    Notice,
    NoticeCode,
    Scheme,
    check_identifier,
    compact,
)
from tests.support.public_files import REFERENCE

# The vectors' kinds that aren't the name of a scheme, and the scheme that they are examples of.
OTHER_KINDS = {"uscc_checksum_fails_but_reported_real": Scheme.CN_USCC}


def test_every_vector_agrees() -> None:
    vectors = json.loads((REFERENCE / "identifier_vectors.json").read_text("utf-8"))
    assert len(vectors) >= 46
    for vector in vectors:
        scheme = Scheme(OTHER_KINDS.get(vector["kind"], vector["kind"]))
        notice = check_identifier(scheme, vector["value"])
        assert (notice is None) is vector["valid"], (vector, notice)


def test_codes_of_real_companies_that_do_not_compute_are_only_noticed() -> None:
    notice = check_identifier("uscc", "91350203M0001FUE2P")
    assert notice == Notice(
        "uscc", "91350203M0001FUE2P", NoticeCode.CHECK_DIGIT, "the check character by GB 32100 is J, not P"
    )
    other = check_identifier("uscc", "91350100M0001TGQXM")
    assert other is not None
    assert other.message == "the check character by GB 32100 is 1, not M"


def test_every_scheme_has_a_rule_and_unknown_ones_are_not_judged() -> None:
    assert set(identifiers._RULES) == set(Scheme)
    assert check_identifier("passport", "anything") is None
    assert check_identifier("", "") is None
    assert compact("passport", " a-1 ") == " a-1 "


@pytest.mark.parametrize(
    ("scheme", "value", "code"),
    [
        ("iso6346", "csqu 305438-3", None),
        ("iso6346", "ＣＳＱＵ３０５４３８３", None),
        ("iso6346", "CSQU305438٣", NoticeCode.FORMAT),
        ("iso6346", "CSQX3054383", NoticeCode.FORMAT),
        ("iso6346", "CSQU3054383" + " " * MAX_VALUE_CHARS, NoticeCode.FORMAT),
        ("imo_ship", "IMO 9795610", None),
        ("imo_ship", "IMO 979561", NoticeCode.FORMAT),
        ("imo_ship", "9074728", NoticeCode.CHECK_DIGIT),
        ("mmsi", "477123456", None),
        ("mmsi", "413123456", None),
        ("mmsi", "999123456", NoticeCode.UNKNOWN_CODE),
        ("mmsi", "45312345", NoticeCode.FORMAT),
        ("air_waybill", "784-00000012", NoticeCode.CHECK_DIGIT),
        ("air_waybill", "784-0000001", NoticeCode.FORMAT),
        ("lei", "213800KUD8LAJWSQ9D15", None),
        ("lei", "213800KUD8LXJWSQ9D15", NoticeCode.CHECK_DIGIT),
        # Modulo 97 alone would accept it: 1 leaves the remainder 1 at any length.
        ("lei", "1", NoticeCode.FORMAT),
        ("aeo", "AEOCN4403123456", None),
        ("aeo", "AEOXX4403123456", NoticeCode.UNKNOWN_CODE),
        ("aeo", "AEO", NoticeCode.FORMAT),
        ("ucr", "5XX914403001922038216", NoticeCode.UNKNOWN_CODE),
        ("ucr", "5CN", NoticeCode.FORMAT),
        ("unlocode", "HK HKG", None),
        ("unlocode", "XZABC", None),
        ("unlocode", "XXABC", NoticeCode.UNKNOWN_CODE),
        ("unlocode", "HKH1G", NoticeCode.FORMAT),
        ("uscc", "91440300-708461136-T", None),
        ("uscc", "9144030070846113ST", NoticeCode.FORMAT),
        ("uscc", "91440300708461136", NoticeCode.FORMAT),
        ("gb11714_org_code", "19231745-8", None),
        ("gb11714_org_code", "27939873-X", None),
        ("gb11714_org_code", "192203820", NoticeCode.CHECK_DIGIT),
        ("gb11714_org_code", "19231745A", NoticeCode.FORMAT),
        ("cn_resident_id", "11010519491231002x", None),
        ("cn_resident_id", "110105194912310020", NoticeCode.CHECK_DIGIT),
        ("cn_resident_id", "11010519491331002X", NoticeCode.FORMAT),
        ("cn_declaration_no", "530120251525641690", None),
        ("cn_declaration_no", "530120252525641690", NoticeCode.FORMAT),
        ("cn_declaration_no", "530118250525641690", NoticeCode.FORMAT),
        ("cn_customs_registration", "4403123456", None),
        ("cn_customs_registration", "44031A3456", None),
        ("cn_customs_registration", "440312345", NoticeCode.FORMAT),
        ("cn_cross_border_plate", "粵Z·FC62澳", None),
        ("cn_cross_border_plate", "粤ZOC62港", NoticeCode.FORMAT),
        ("cn_cross_border_plate", "粤B12345", NoticeCode.FORMAT),
        ("hkid", "a123456（3）", None),
        ("hkid", "AB987654(3)", None),
        ("hkid", "AB987654(2)", NoticeCode.CHECK_DIGIT),
        ("hkid", "G123456(A)", None),
        ("hkid", "123456(3)", NoticeCode.FORMAT),
        ("hk_cr_no", "F0012345", None),
        ("hk_cr_no", "12345678", NoticeCode.FORMAT),
        ("hk_vehicle_plate", "FC 6238", None),
        ("hk_vehicle_plate", "QQ1", NoticeCode.FORMAT),
        ("mo_bir", "1234567(8)", None),
        ("mo_bir", "2234567(8)", NoticeCode.FORMAT),
        ("mo_vehicle_plate", "MX-12-34", None),
        ("mo_vehicle_plate", "MX-12-3", NoticeCode.FORMAT),
        ("hs", "8112.92", None),
        ("hs", "8112", None),
        ("hs", "811", NoticeCode.FORMAT),
        ("hs", "8112929", NoticeCode.FORMAT),
        ("hs6", "770000", NoticeCode.UNKNOWN_CODE),
        ("hs6", "000000", NoticeCode.UNKNOWN_CODE),
        ("hs6", "980300", NoticeCode.UNKNOWN_CODE),
        ("hs_cn8", "98030030", None),
        ("hs_cn10", "8112.9210.10", None),
        ("hs_hk8", "81129210", None),
        ("hs_mo8", "8112921", NoticeCode.FORMAT),
    ],
)
def test_what_the_vectors_leave_out(scheme: str, value: str, code: NoticeCode | None) -> None:
    notice = check_identifier(scheme, value)
    assert (notice.code if notice else None) is code
    if notice:
        assert (notice.scheme, notice.value) == (scheme, value)


def test_messages_do_not_repeat_what_may_be_personal_data() -> None:
    for scheme, value in [("hkid", "A123456(4)"), ("cn_resident_id", "110105194912310020"), ("mo_bir", "2234567(8)")]:
        notice = check_identifier(scheme, value)
        assert notice is not None
        assert value not in notice.message


def test_the_organisation_code_inside_a_credit_code_is_checked_too() -> None:
    """A wrong inner check character under a right outer one, found by trying all outer ones."""
    inner_wrong = "91440300708461137"
    notices = [check_identifier("uscc", inner_wrong + last) for last in "0123456789ABCDEFGHJKLMNPQRTUWXY"]
    messages = [notice.message for notice in notices if notice]
    assert len(messages) == 31
    assert sum("GB 11714 is 6, not 7" in message for message in messages) == 1


DIGITS = string.digits


def mod_97(text: str) -> int:
    return int("".join(str(int(char, 36)) for char in text)) % 97


@given(st.text(alphabet=string.ascii_uppercase + DIGITS, min_size=18, max_size=18))
def test_lei_agrees_with_the_standards_formula(body: str) -> None:
    right = f"{98 - mod_97(body + '00'):02d}"
    assert check_identifier("lei", body + right) is None
    assert mod_97(body + right) == 1


@given(
    st.text(alphabet=string.ascii_uppercase, min_size=3, max_size=3), st.text(alphabet=DIGITS, min_size=6, max_size=6)
)
def test_container_agrees_with_the_table_of_iso_6346(owner: str, serial: str) -> None:
    values = dict(zip(string.ascii_uppercase, (n for n in range(10, 39) if n % 11), strict=True))
    body = f"{owner}U{serial}"
    total = sum((int(char) if char.isdigit() else values[char]) * 2**place for place, char in enumerate(body))
    fitting = [digit for digit in DIGITS if check_identifier("iso6346", body + digit) is None]
    assert fitting == [str(total % 11 % 10)]


@given(st.text(alphabet=DIGITS, min_size=7, max_size=7))
def test_air_waybill_has_one_check_digit(serial: str) -> None:
    fitting = [digit for digit in DIGITS if check_identifier("air_waybill", f"160-{serial}{digit}") is None]
    assert fitting == [str(int(serial) % 7)]


@given(st.from_regex(r"[A-Z]{1,2}[0-9]{6}", fullmatch=True))
def test_hkid_check_character_makes_a_multiple_of_eleven(body: str) -> None:
    fitting = [char for char in "0123456789A" if check_identifier("hkid", f"{body}({char})") is None]
    assert len(fitting) == 1
    padded = f"{body:>8}{fitting[0]}"
    values = [36 if char == " " else int(char, 36) for char in padded]
    assert sum(value * weight for value, weight in zip(values, (9, 8, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11 == 0


@given(st.from_regex(r"[0-9A-Z]{8}", fullmatch=True))
def test_organisation_codes_have_one_check_character(body: str) -> None:
    fitting = [char for char in "0123456789X" if check_identifier("gb11714_org_code", body + char) is None]
    assert len(fitting) == 1


@given(st.sampled_from(Scheme), st.text(max_size=MAX_VALUE_CHARS + 10))
def test_no_input_is_ever_an_error(scheme: Scheme, value: str) -> None:
    notice = check_identifier(scheme, value)
    assert notice is None or notice.code in NoticeCode
    if len(value) > MAX_VALUE_CHARS:
        assert notice is not None


@given(st.sampled_from(Scheme), st.text(alphabet="ABCIOSUXZ0123456789٣½粤港 -()", max_size=20))
def test_no_input_that_looks_right_is_ever_an_error(scheme: Scheme, value: str) -> None:
    first, second = check_identifier(scheme, value), check_identifier(scheme, compact(scheme, value))
    assert (first.code if first else None) == (second.code if second else None)


def test_code_lists_have_the_published_sizes() -> None:
    assert len(COUNTRIES) == 249
    assert {"412", "413", "414", "453", "477"} <= MARITIME_IDENTIFICATION_DIGITS
    assert all(len(digits) == 3 and "2" <= digits[0] <= "7" for digits in MARITIME_IDENTIFICATION_DIGITS)
