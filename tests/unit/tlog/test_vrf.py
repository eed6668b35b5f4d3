"""The verifiable random function: the vectors of RFC 9381, and proofs that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, MalformedError, VerificationError
from gateway.tlog.vrf import PROOF_BYTES, VrfKey, verify_vrf

VECTORS = [
    (
        "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
        "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
        b"sample",
        "035b5c726e8c0e2c488a107c600578ee75cb702343c153cb1eb8dec77f4b5071b4a53f0a46f018bc2c56e58d383f2305e0"
        "975972c26feea0eb122fe7893c15af376b33edf7de17c6ea056d4d82de6bc02f",
        "a3ad7b0ef73d8fc6655053ea22f9bede8c743f08bbed3d38821f0e16474b505e",
    ),
    (
        "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
        "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
        b"test",
        "034dac60aba508ba0c01aa9be80377ebd7562c4a52d74722e0abae7dc3080ddb56c19e067b15a8a8174905b13617804534"
        "214f935b94c2287f797e393eb0816969d864f37625b443f30f1a5a33f2b3c854",
        "a284f94ceec2ff4b3794629da7cbafa49121972671b466cab4ce170aa365f26d",
    ),
]
"""RFC 9381, appendix B.1, examples 10 and 11: secret key, public key, input, proof, output."""

KEY = VrfKey(bytes.fromhex(VECTORS[0][0]))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize(("secret", "public", "data", "proof", "output"), VECTORS)
def test_keys_proofs_and_outputs_are_those_of_the_rfc(
    secret: str, public: str, data: bytes, proof: str, output: str
) -> None:
    key = VrfKey(bytes.fromhex(secret))
    assert (key.public_key.hex(), key.prove(data).hex()) == (public, proof)
    assert verify_vrf(key.public_key, data, bytes.fromhex(proof)).hash.hex() == output


@given(st.binary(max_size=64), st.integers(1, ORDER - 1))
def test_a_proof_gives_the_place_that_its_owner_computes(data: bytes, scalar: int) -> None:
    key = VrfKey(scalar.to_bytes(32))
    assert verify_vrf(key.public_key, data, key.prove(data)).place == key.place(data)


@pytest.mark.parametrize("scalar", [1, 2, ORDER - 2, ORDER - 1])
def test_the_ends_of_the_range_of_scalars_are_keys_too(scalar: int) -> None:
    key = VrfKey(scalar.to_bytes(32))
    assert verify_vrf(key.public_key, b"x", key.prove(b"x")).place == key.place(b"x")


@given(st.integers(0, PROOF_BYTES * 8 - 1))
def test_a_proof_with_a_changed_bit_is_refused(bit: int) -> None:
    proof = bytearray(KEY.prove(b"data"))
    proof[bit // 8] ^= 1 << (bit % 8)
    with pytest.raises(GatewayError):
        verify_vrf(KEY.public_key, b"data", bytes(proof))


def test_a_proof_of_another_input_or_key_is_refused() -> None:
    other = VrfKey((7).to_bytes(32))
    for public_key, data in ((KEY.public_key, b"other"), (other.public_key, b"data")):
        with pytest.raises(VerificationError):
            verify_vrf(public_key, data, KEY.prove(b"data"))


@given(st.binary(max_size=120), st.binary(max_size=40))
def test_bytes_that_are_no_proof_or_key_are_refused(proof: bytes, public_key: bytes) -> None:
    with pytest.raises(GatewayError):
        verify_vrf(KEY.public_key, b"data", proof)
    with pytest.raises(MalformedError):
        verify_vrf(public_key, b"data", KEY.prove(b"data"))


@pytest.mark.parametrize("secret", [b"", bytes(32), ORDER.to_bytes(32), bytes(33)])
def test_what_is_no_scalar_of_the_group_is_no_key(secret: bytes) -> None:
    with pytest.raises(MalformedError):
        VrfKey(secret)
