"""PKCS#11 URIs of keys: two labels, and nothing that could be a PIN."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedError
from gateway.trust.pki.token_uri import MAX_LABEL_BYTES, TokenKeyUri

LABELS = st.text(min_size=1, max_size=MAX_LABEL_BYTES).filter(
    lambda text: text.isprintable() and len(text.encode("utf-8", "surrogatepass")) <= MAX_LABEL_BYTES
)


@given(LABELS, LABELS)
def test_what_is_written_is_read(token: str, label: str) -> None:
    uri = TokenKeyUri(token, label)
    assert TokenKeyUri.parse(str(uri)) == uri


def test_attributes_come_in_any_order() -> None:
    assert TokenKeyUri.parse("pkcs11:object=log;token=cn%20hsm") == TokenKeyUri("cn hsm", "log")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pki/keys/log.pem",
        "pkcs11:",
        "pkcs11:token=cn",
        "pkcs11:token=cn;object=",
        "pkcs11:token=cn;object=log;object=receipts",
        "pkcs11:token=cn;object=log?pin-value=1234",
        "pkcs11:token=cn;object=log;pin-value=1234",
        "pkcs11:token=cn hsm;object=log",
        "pkcs11:token=cn;object=a%00b",
        f"pkcs11:token=cn;object={'x' * (MAX_LABEL_BYTES + 1)}",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        TokenKeyUri.parse(text)
