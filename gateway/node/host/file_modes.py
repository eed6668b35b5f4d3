"""Finds out who besides the node's user may read or change its files, and what this user may not."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.db.url import parse_url
from gateway.node.settings import Settings

UMASK = 0o077
"""What a node makes is its user's alone."""

DATABASE_ENDINGS = ("", "-wal", "-shm", "-journal")
"""Files of an embedded database, by what follows on its name."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class PathProblem:
    """A file or folder that others may read or change, or that this user may not.

    Attributes:
        severe: a secret or the node's data can be read, or what the node trusts can be changed.
        what: in words, e.g. `group or others may read /srv/gateway/data (mode 0755)`.
    """

    path: Path
    severe: bool
    what: str
    way_out: str


def path_problems(settings: Settings, config: Path) -> Iterator[PathProblem]:
    """Problems of all that the settings name: files, their folders, the data folder, the embedded database.

    Raises:
        OSError: a path can't be looked at.
    """
    secret = _present(settings.tls.key, *settings.keys.files, *(token.pin_file for token in settings.tokens.values()))
    secret += _present(settings.tls.passphrase_file, settings.keys.passphrase_file, *_database_files(settings))
    public = _present(settings.tls.certificate, settings.tls.ca, settings.directory.file)
    public += _present(settings.time_stamps.certificates, *(token.module for token in settings.tokens.values()))
    closed = _present(settings.data_dir)
    (secret if _holds_password(settings, config) else closed).append(config)
    folders = {path.absolute().parent for path in (*secret, *public, config)} - {settings.data_dir.absolute()}
    users = {os.geteuid(), 0} | {folder.stat().st_uid for folder in _present(settings.data_dir)}
    for paths, kind in ((secret, _SECRET), (closed, _CLOSED), (public, _PUBLIC), (sorted(folders), _FOLDER)):
        for path in paths:
            yield from _problems(path, kind, users)
    for path in _present(settings.data_dir, *_database_files(settings)):
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
            yield PathProblem(path, True, f"this user may not read and write {path}", f"Run `chown` on {path}.")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What others may not do: read, because it is secret or else unwise, or change."""

    secret: bool
    readable: bool
    folder: bool = False


_SECRET = _Kind(secret=True, readable=False)
_CLOSED = _Kind(secret=False, readable=False)
_PUBLIC = _Kind(secret=False, readable=True)
_FOLDER = _Kind(secret=False, readable=True, folder=True)


def _problems(path: Path, kind: _Kind, users: set[int]) -> Iterator[PathProblem]:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    shown = f"{path} (mode {mode:04o})"
    close = f"Run `chmod {'go-w' if kind.readable else 'go-rwx'} {path}`."
    changes = mode & (stat.S_IWOTH if kind.readable and _private_group(status) else _OTHERS_WRITE)
    if changes and not (kind.folder and mode & stat.S_ISVTX):
        yield PathProblem(path, True, f"group or others may change {shown}", close)
    elif mode & _OTHERS and not kind.readable:
        reads = "read" if mode & _OTHERS_READ else "enter"
        yield PathProblem(path, kind.secret, f"group or others may {reads} {shown}", close)
    if status.st_uid not in users:
        owner = _user(status.st_uid)
        yield PathProblem(path, True, f"{path} belongs to {owner}, who may change it", f"Run `chown` on {path}.")


def _holds_password(settings: Settings, config: Path) -> bool:
    """Whether the settings file has the database's password."""
    urls = [settings.effective_database_url, *filter(None, [settings.history.standby_url])]
    passwords = [password for url in urls if (password := parse_url(url).password) is not None]
    return any(password in config.read_text("utf-8", "replace") for password in passwords)


def _private_group(status: os.stat_result) -> bool:
    """Whether the file's group is its owner's alone, as many systems give each user one."""
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return (owner.pw_gid, owner.pw_name) == (group.gr_gid, group.gr_name) and set(group.gr_mem) <= {owner.pw_name}


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _present(*paths: Path | None) -> list[Path]:
    return [path for path in paths if path is not None and path.exists()]


def _database_files(settings: Settings) -> Iterator[Path]:
    url = parse_url(settings.effective_database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        database = Path(url.database)
        yield from (database.with_name(database.name + ending) for ending in DATABASE_ENDINGS)
