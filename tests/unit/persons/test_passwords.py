"""Passwords are hashed as RFC 9106 recommends: nodes of other tests hash them at once."""

from __future__ import annotations

import pytest

from gateway.errors import InvalidRequestError
from gateway.persons.service.passwords import Passwords, require_password


def test_they_are_hashed_by_argon2id_with_64_mib_and_matched() -> None:
    passwords = Passwords()
    stored = passwords.hash("seven green apples")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(stored, "seven green apples")
    assert not passwords.matches(stored, "seven green apple")
    assert not passwords.matches("", "seven green apples")


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("short", "at least 12"),
        ("aaaaaaaaaaaaaaaa", "repeats"),
        ("my name is CHAN ok", "contains the name"),
        ("passwordpassword", "easy to guess"),
        ("qwertyuiop123456", "easy to guess"),
        ("Taiman19840612", "easy to guess"),
        ("P@ssw0rdP@ssw0rdP@ssw0rd and what comes after", "easy to guess"),
    ],
)
def test_a_password_that_can_be_guessed_is_refused(password: str, problem: str) -> None:
    with pytest.raises(InvalidRequestError, match=problem):
        require_password(password, name="chan", least_chars=12, known=["Taiman"])


def test_a_long_password_in_any_script_is_fine() -> None:
    require_password("正确的马电池订书钉四个词语", name="chan", least_chars=12)
