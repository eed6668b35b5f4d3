"""Names exist only in their canonical form: what is read is exactly what would be written."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.contract.ids import (
    KEPT,
    MAX_EPOCH,
    MAX_ORIGIN_CHARS,
    MAX_SPIFFE_CHARS,
    Channel,
    FeedOrigin,
    GatewayIdentity,
    SystemIdentity,
    is_federation_name,
    is_node_name,
    is_uuid,
    parse_spiffe,
    uuid7,
    uuid7_unix_ms,
)
from gateway.errors import MalformedError

ms = st.integers(0, 2**48 - 1)
noise = st.binary(min_size=10, max_size=10)
nodes = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)
systems = st.from_regex(r"[a-z][a-z0-9-]{0,63}", fullmatch=True)
federations = st.from_regex(
    r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?){0,3}", fullmatch=True
)


@given(ms, noise)
def test_uuid7_is_what_the_standard_library_reads_as_version_7(unix_ms: int, random: bytes) -> None:
    text = uuid7(unix_ms, random)
    parsed = uuid.UUID(text)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, text)
    assert is_uuid(text)
    assert uuid7_unix_ms(text) == unix_ms


def test_uuid7_is_the_example_of_rfc_9562() -> None:
    # Appendix A.6: 2022-02-22T19:22:22Z, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    rand = (0xCC3 << 68 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(1645557742000, rand) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.tuples(ms, ms), st.tuples(noise, noise))
def test_a_later_uuid7_sorts_later(times: tuple[int, int], randoms: tuple[bytes, bytes]) -> None:
    assume(times[0] < times[1])
    assert uuid7(times[0], randoms[0]) < uuid7(times[1], randoms[1])


@given(noise, noise)
def test_all_74_random_bits_reach_the_uuid(one: bytes, other: bytes) -> None:
    used = (0xFFF << 68) | ((1 << 62) - 1)
    same_bits = (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")) & used == 0
    assert (uuid7(0, one) == uuid7(0, other)) is same_bits


@pytest.mark.parametrize(("unix_ms", "random"), [(-1, bytes(10)), (2**48, bytes(10)), (0, bytes(9)), (0, bytes(11))])
def test_uuid7_refuses_arguments_out_of_range(unix_ms: int, random: bytes) -> None:
    with pytest.raises(ValueError, match=r"uuid7 takes|48 bits"):
        uuid7(unix_ms, random)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e279b07cc398c4dc0c0c07398f",
        "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n",
        "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",
        "017f22e2-79b0-0cc3-98c4-dc0c0c07398f",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_only_the_canonical_form_is_a_uuid(text: str) -> None:
    assert not is_uuid(text)
    with pytest.raises(MalformedError, match="version 7"):
        uuid7_unix_ms(text)


def test_another_version_is_a_uuid_but_has_no_time_in_milliseconds() -> None:
    version_4 = "919108f7-52d1-4320-9bac-f847db4148a8"
    assert is_uuid(version_4)
    with pytest.raises(MalformedError, match="version 7"):
        uuid7_unix_ms(version_4)


@given(federations, nodes, nodes, st.sampled_from(Channel), st.integers(1, MAX_EPOCH))
def test_a_feed_origin_reads_back_what_it_writes(
    federation: str, publisher: str, recipient: str, channel: Channel, epoch: int
) -> None:
    assume(publisher != recipient)
    origin = FeedOrigin(federation, publisher, publisher if channel in KEPT else recipient, channel, epoch)
    assert {way.epoch for way in (origin.reverse, *origin.related)} == {epoch}
    assert FeedOrigin.parse(origin.line) == origin
    assert str(origin) == origin.line
    assert len(origin.line) <= MAX_ORIGIN_CHARS


@given(st.text(alphabet="ab/.-A1 \n", max_size=20))
def test_whatever_parses_as_an_origin_is_what_would_be_written(text: str) -> None:
    for line in (text, f"{text}/cn/hk/alerts", f"g.example/{text}/hk/alerts", f"g.example/cn/{text}/watchlist"):
        try:
            origin = FeedOrigin.parse(line)
        except MalformedError:
            continue
        assert origin.line == line


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("gba.customs.example/cn/hk", "not a feed origin"),
        ("gba.customs.example/cn/hk/alerts/", "not a feed origin"),
        ("gba.customs.example/cn/hk/alerts\n", "channel"),
        ("gba.customs.example/cn/hk/history", "the channels are alerts-a, alerts-b, alerts, watchlist"),
        ("gba.customs.example/cn/hk/Alerts", "channel"),
        ("gba.customs.example/cn/hk/alerts.1", "epoch"),
        ("gba.customs.example/cn/hk/alerts.02", "epoch"),
        ("gba.customs.example/cn/hk/alerts.10000", "epoch"),
        ("gba.customs.example/cn/hk/alerts.", "epoch"),
        ("gba.customs.example/cn/cn/alerts", "another node"),
        ("gba.customs.example/CN/hk/alerts", "publisher"),
        ("gba.customs.example/cn/1k/alerts", "recipient"),
        ("gba.customs.example/cn//alerts", "recipient"),
        (f"gba.customs.example/{'c' * 33}/hk/alerts", "publisher"),
        ("GBA.example/cn/hk/alerts", "federation"),
        ("/cn/hk/alerts", "federation"),
        ("gba..example/cn/hk/alerts", "federation"),
        ("-gba.example/cn/hk/alerts", "federation"),
        (f"{'a.' * 130}b/cn/hk/alerts", "federation"),
        ("g" * (MAX_ORIGIN_CHARS + 1), "at most"),
    ],
)
def test_an_origin_that_is_not_canonical_is_refused_with_the_reason(line: str, complaint: str) -> None:
    with pytest.raises(MalformedError, match=complaint):
        FeedOrigin.parse(line)


def test_an_origin_made_from_parts_keeps_the_same_rules() -> None:
    with pytest.raises(MalformedError, match="channel"):
        FeedOrigin("g.example", "cn", "hk", "history")  # type: ignore[arg-type]
    assert FeedOrigin("g.example", "cn", "hk", "alerts").channel is Channel.ALERTS  # type: ignore[arg-type]


@given(federations, nodes, systems)
def test_identities_read_back_what_they_write(domain: str, node: str, name: str) -> None:
    gateway = GatewayIdentity(domain, node)
    system = SystemIdentity(domain, node, name)
    assert parse_spiffe(gateway.uri) == gateway
    assert parse_spiffe(system.uri) == system
    assert (str(gateway), str(system)) == (gateway.uri, system.uri)


def test_identities_have_the_documented_form() -> None:
    assert GatewayIdentity("gba.customs.example", "cn").uri == "spiffe://gba.customs.example/gateway/cn"
    assert SystemIdentity("gba.customs.example", "hk", "risk-1").uri == "spiffe://gba.customs.example/system/hk/risk-1"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://gba.customs.example/gateway/cn",
        "SPIFFE://gba.customs.example/gateway/cn",
        "spiffe:/gba.customs.example/gateway/cn",
        "spiffe://GBA.customs.example/gateway/cn",
        "spiffe://gba.customs.example:443/gateway/cn",
        "spiffe://user@gba.customs.example/gateway/cn",
        "spiffe:///gateway/cn",
        "spiffe://gba.customs.example/gateway/cn/",
        "spiffe://gba.customs.example//gateway/cn",
        "spiffe://gba.customs.example/gateway/cn?x=1",
        "spiffe://gba.customs.example/gateway/cn#x",
        "spiffe://gba.customs.example/gateway/%63n",
        "spiffe://gba.customs.example/gateway/../cn",
        "spiffe://gba.customs.example/gateway/CN",
        "spiffe://gba.customs.example/gateway/cn\n",
        "spiffe://gba.customs.example/gateway",
        "spiffe://gba.customs.example/system/cn",
        "spiffe://gba.customs.example/system/cn/",
        "spiffe://gba.customs.example/system/cn/a_b",
        "spiffe://gba.customs.example/system/CN/a",
        "spiffe://gba.customs.example/system/cn/" + "a" * 65,
        "spiffe://gba.customs.example/admin/cn",
        "spiffe://gba.customs.example/gateway/cn" + "n" * MAX_SPIFFE_CHARS,
    ],
)
def test_a_spiffe_id_that_is_not_canonical_is_refused(uri: str) -> None:
    with pytest.raises(MalformedError):
        parse_spiffe(uri)


def test_name_rules_do_not_let_a_line_end_through() -> None:
    assert is_node_name("hk")
    assert is_federation_name("gba.customs.example")
    assert not is_node_name("hk\n")
    assert not is_federation_name("gba.customs.example\n")
