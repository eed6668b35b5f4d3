"""A verifiable random function: ECVRF-P256-SHA256-TAI of RFC 9381.

The owner of a secret key alone can compute an input's output; a proof shows that the output is the only one under that
public key. Multiplications by secret scalars are OpenSSL's, whose time doesn't tell them: ECDH gives the product's x
coordinate, and a second one with the next scalar decides between the two points that have it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.errors import MalformedError, VerificationError

PROOF_BYTES = 81
"""gamma ‖ c ‖ s: 33, 16 and 32 bytes."""

PUBLIC_KEY_BYTES = 33
SECRET_KEY_BYTES = 32

_CURVE = ec.SECP256R1()
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_SUITE = b"\x01"
_ENCODE, _CHALLENGE, _HASH, _END = b"\x01", b"\x02", b"\x03", b"\x00"
_CHALLENGE_BYTES, _SCALAR_BYTES = 16, 32

_Point: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class VrfOutput:
    """What a verified proof gives.

    Attributes:
        hash: RFC 9381's beta, 32 bytes.
        place: SHA-256 over gamma's x coordinate, 32 bytes; `VrfKey.place` computes it at half the price, since the
            sign of gamma isn't needed for it. As unique as gamma.
    """

    hash: bytes
    place: bytes


class VrfKey:
    """A secret key, 1 to the group's order - 1 in 32 bytes; raises MalformedError for others."""

    def __init__(self, secret: bytes) -> None:
        scalar = int.from_bytes(secret)
        if len(secret) != SECRET_KEY_BYTES or not 0 < scalar < _ORDER:
            raise MalformedError("that is no secret key of the verifiable random function")
        self._scalar = scalar
        self._key = ec.derive_private_key(scalar, _CURVE)
        self.public_key = _encoded(_point_of(self._key.public_key()))
        """33 bytes, a compressed point."""

    def place(self, data: bytes) -> bytes:
        """`VrfOutput.place` of an input, without a proof."""
        return _place(self._key.exchange(ec.ECDH(), _point_for(self.public_key, data)))

    def prove(self, data: bytes) -> bytes:
        """A proof of PROOF_BYTES for an input (RFC 9381, section 5.1)."""
        h = _point_of(_point_for(self.public_key, data))
        gamma = _times(self._scalar, h)
        nonce = _nonce(self._scalar, _encoded(h))
        base = _point_of(ec.derive_private_key(nonce, _CURVE).public_key())
        c = _challenge(self.public_key, h, gamma, base, _times(nonce, h))
        s = (nonce + int.from_bytes(c) * self._scalar) % _ORDER
        return _encoded(gamma) + c + s.to_bytes(_SCALAR_BYTES)


def verify_vrf(public_key: bytes, data: bytes, proof: bytes) -> VrfOutput:
    """The output of an input under a public key (RFC 9381, section 5.3).

    Raises:
        MalformedError: no point of the curve, or another length.
        VerificationError: the proof is of another key or input.
    """
    key = _decoded(public_key, "the key of the verifiable random function")
    if len(proof) != PROOF_BYTES:
        raise MalformedError(f"a proof of the verifiable random function has {PROOF_BYTES} bytes, not {len(proof)}")
    encoded, c, s_bytes = proof[:33], proof[33:49], proof[49:]
    gamma = _decoded(encoded, "gamma")
    s, minus_c = int.from_bytes(s_bytes), -int.from_bytes(c) % _ORDER
    if not 0 < s < _ORDER or not minus_c:
        raise MalformedError("the proof's scalars are out of range")
    h = _point_of(_point_for(public_key, data))
    u = _sum(_point_of(ec.derive_private_key(s, _CURVE).public_key()), _times(minus_c, key))
    v = _sum(_times(s, h), _times(minus_c, gamma))
    if _challenge(public_key, h, gamma, u, v) != c:
        raise VerificationError("the proof doesn't fit key and input")
    return VrfOutput(sha256(_SUITE + _HASH + encoded + _END).digest(), _place(encoded[1:]))


def _place(x: bytes) -> bytes:
    return sha256(b"place\x00" + x).digest()


def _point_for(public_key: bytes, data: bytes) -> ec.EllipticCurvePublicKey:
    """The point of an input: the first hash that is an x coordinate (section 5.4.1.1)."""
    begun = sha256(_SUITE + _ENCODE + public_key + data)
    for counter in range(256):
        attempt = begun.copy()
        attempt.update(bytes([counter]) + _END)
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x02" + attempt.digest())
        except ValueError:
            continue
    raise MalformedError("no point of the curve belongs to this input")  # once in 2²⁵⁶


def _nonce(scalar: int, encoded: bytes) -> int:
    """RFC 6979's k for a message."""
    digest = (int.from_bytes(sha256(encoded).digest()) % _ORDER).to_bytes(_SCALAR_BYTES)
    seed = scalar.to_bytes(_SCALAR_BYTES) + digest
    key, value = bytes(32), b"\x01" * 32
    for step in (b"\x00", b"\x01"):
        key = hmac.digest(key, value + step + seed, "sha256")
        value = hmac.digest(key, value, "sha256")
    while True:
        value = hmac.digest(key, value, "sha256")
        if 0 < (nonce := int.from_bytes(value)) < _ORDER:
            return nonce
        key = hmac.digest(key, value + b"\x00", "sha256")
        value = hmac.digest(key, value, "sha256")


def _challenge(public_key: bytes, *points: _Point) -> bytes:
    data = _SUITE + _CHALLENGE + public_key + b"".join(map(_encoded, points)) + _END
    return sha256(data).digest()[:_CHALLENGE_BYTES]


def _times(scalar: int, point: _Point) -> _Point:
    """A multiple of a point; `scalar` is 1 to the order - 1."""
    if scalar in (1, _ORDER - 1):
        return point if scalar == 1 else (point[0], _P - point[1])
    uncompressed = b"\x04" + point[0].to_bytes(32) + point[1].to_bytes(32)
    public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, uncompressed)
    x, after = (
        int.from_bytes(ec.derive_private_key(factor, _CURVE).exchange(ec.ECDH(), public))
        for factor in (scalar, scalar + 1)
    )
    y = _root(x)
    return (x, y) if _sum((x, y), point)[0] == after else (x, _P - y)


def _sum(one: _Point, other: _Point) -> _Point:
    """The sum of two points; raises VerificationError for the point at infinity."""
    (x1, y1), (x2, y2) = one, other
    if x1 != x2:
        slope = (y2 - y1) * pow(x2 - x1, -1, _P)
    elif y1 == y2:
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P)
    else:
        raise VerificationError("the proof leads to the point at infinity")
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


def _root(x: int) -> int:
    """One of the y coordinates of a point."""
    return pow(x * x * x - 3 * x + _B, (_P + 1) // 4, _P)


def _point_of(key: ec.EllipticCurvePublicKey) -> _Point:
    numbers = key.public_numbers()
    return numbers.x, numbers.y


def _encoded(point: _Point) -> bytes:
    return bytes([2 + (point[1] & 1)]) + point[0].to_bytes(32)


def _decoded(encoded: bytes, what: str) -> _Point:
    """A point from its compressed form; raises MalformedError."""
    if len(encoded) != PUBLIC_KEY_BYTES:
        raise MalformedError(f"{what} has {PUBLIC_KEY_BYTES} bytes, not {len(encoded)}")
    try:
        return _point_of(ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, encoded))
    except ValueError as error:
        raise MalformedError(f"{what} is no point of the curve") from error
