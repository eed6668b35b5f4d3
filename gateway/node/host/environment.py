"""Takes secrets out of the environment of a running node."""

from __future__ import annotations

import ctypes
import os

PASSPHRASE_VARIABLE = "GATEWAY_PASSPHRASE"  # noqa: S105  the variable's name
"""Environment variable of the signing keys' passphrase, without a file."""

DATABASE_URL_VARIABLE = "GATEWAY_DATABASE_URL"
"""Environment variable of the database's URL."""

SECRET_VARIABLES = (PASSPHRASE_VARIABLE, DATABASE_URL_VARIABLE)
"""Variables that hold a passphrase, or a password within a URL."""


def forget_secrets() -> None:
    """Removes the secrets, for this process's children and for who reads /proc.

    The system shows the memory in which a process was given its environment, so that memory is overwritten too.
    """
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    for name in SECRET_VARIABLES:
        secret = os.environb.get(name.encode())
        if secret is None:
            continue
        place = getenv(name.encode())
        if place:
            ctypes.memset(place, 0, len(secret))
        del os.environ[name]
