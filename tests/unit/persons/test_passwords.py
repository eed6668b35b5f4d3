"""Passwords are hashed as RFC 9106 recommends: nodes of other tests hash them at once."""

from __future__ import annotations

from gateway.persons.service.passwords import Passwords


def test_they_are_hashed_by_argon2id_with_64_mib_and_matched() -> None:
    passwords = Passwords()
    stored = passwords.hash("seven green apples")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(stored, "seven green apples")
    assert not passwords.matches(stored, "seven green apple")
    assert not passwords.matches("", "seven green apples")
