"""Persons of this authority: their accounts, sign-in, sessions and approvals."""
