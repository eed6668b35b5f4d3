from __future__ import annotations

import os
import resource
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.errors import ConfigurationError
from gateway.tls.private_keys import private_key_pem
from gateway.tls.secret_files import MAX_SECRET_FILE_BYTES, read_passphrase, read_secret, write_secret
from gateway.trust.pki.keys import create_signing_key, load_signing_key

NAME = "gba.customs.example/cn/receipts"


@pytest.mark.parametrize("passphrase", [None, b"correct horse battery staple"])
def test_a_created_key_loads_and_signs_as_the_same_key(tmp_path: Path, passphrase: bytes | None) -> None:
    path = tmp_path / "keys" / "log.pem"
    created = create_signing_key(path, name=NAME, passphrase=passphrase)
    loaded = load_signing_key(path, name=NAME, passphrase=passphrase)
    assert loaded.name == NAME
    assert loaded.public_key == created.public_key
    public_key = Ed25519PublicKey.from_public_bytes(loaded.public_key)
    public_key.verify(loaded.sign(b"text"), b"text")
    with pytest.raises(InvalidSignature):
        public_key.verify(loaded.sign(b"text"), b"other")


def test_a_key_file_and_its_new_folder_are_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_signing_key(tmp_path / "keys" / "log.pem", name=NAME)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys" / "log.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_a_key_is_never_overwritten_even_through_a_dangling_link(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    create_signing_key(path, name=NAME)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        create_signing_key(path, name=NAME)
    assert path.read_bytes() == before
    (tmp_path / "link.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(ConfigurationError):
        create_signing_key(tmp_path / "link.pem", name=NAME)
    assert not (tmp_path / "elsewhere.pem").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "log.pem"
    create_signing_key(path, name=NAME)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"mode {mode:04o}.*chmod 600"):
        load_signing_key(path, name=NAME)


def test_named_gives_the_same_key_another_name(tmp_path: Path) -> None:
    signer = create_signing_key(tmp_path / "log.pem", name=NAME)
    feed = signer.named("gba.customs.example/cn/hk/alerts")
    assert feed.name == "gba.customs.example/cn/hk/alerts"
    assert feed.public_key == signer.public_key
    assert feed.sign(b"x") == signer.sign(b"x")  # Ed25519 is deterministic
    assert signer.name == NAME


def test_no_way_of_showing_a_signer_shows_the_private_key(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    signer = create_signing_key(path, name=NAME)
    raw = signer._private_key.private_bytes_raw()
    for shown in (repr(signer), str(signer), f"{signer}", repr([signer])):
        assert raw.hex() not in shown
        assert repr(raw) not in shown
        assert signer.public_key.hex() in shown


def test_the_passphrase_must_fit(tmp_path: Path) -> None:
    create_signing_key(tmp_path / "locked.pem", name=NAME, passphrase=b"right")
    create_signing_key(tmp_path / "open.pem", name=NAME)
    assert b"ENCRYPTED" in (tmp_path / "locked.pem").read_bytes()
    with pytest.raises(ConfigurationError, match="passphrase is wrong"):
        load_signing_key(tmp_path / "locked.pem", name=NAME, passphrase=b"wrong")
    with pytest.raises(ConfigurationError, match="is encrypted: name its passphrase"):
        load_signing_key(tmp_path / "locked.pem", name=NAME)
    with pytest.raises(ConfigurationError, match="isn't encrypted although"):
        load_signing_key(tmp_path / "open.pem", name=NAME, passphrase=b"right")


def test_errors_name_the_file_and_the_problem(tmp_path: Path) -> None:
    write_secret(tmp_path / "ec.pem", private_key_pem(ec.generate_private_key(ec.SECP256R1()), None))
    write_secret(tmp_path / "noise.pem", b"not a key")
    write_secret(tmp_path / "large.pem", b"x" * (MAX_SECRET_FILE_BYTES + 1))
    for name, problem in {
        "ec.pem": "isn't an Ed25519 key",
        "noise.pem": "isn't a PKCS#8 PEM",
        "large.pem": "larger than",
        "missing.pem": "No such file",
    }.items():
        with pytest.raises(ConfigurationError, match=problem) as caught:
            load_signing_key(tmp_path / name, name=NAME)
        assert name in caught.value.message
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_secret(tmp_path)
    with pytest.raises(ConfigurationError, match="isn't a regular file"):
        read_secret(Path(os.devnull))


def test_a_key_below_a_file_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match=r"folder .*file can't be made"):
        create_signing_key(tmp_path / "file" / "log.pem", name=NAME)
    with pytest.raises(ConfigurationError, match="can't be created: File name too long"):
        create_signing_key(tmp_path / ("x" * 300), name=NAME)


def test_half_a_key_is_not_left_behind(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))  # a full disk, near enough: the write itself fails
    try:
        with pytest.raises(ConfigurationError, match="can't be written"):
            create_signing_key(tmp_path / "log.pem", name=NAME)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "log.pem").exists()
    create_signing_key(tmp_path / "log.pem", name=NAME)


def test_openssl_reads_our_keys_and_we_read_its(tmp_path: Path) -> None:
    ours = create_signing_key(tmp_path / "ours.pem", name=NAME, passphrase=b"secret")
    shown = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "ours.pem", "-passin", "pass:secret", "-pubout", "-outform", "DER"],
        check=True,
        capture_output=True,
    )
    assert shown.stdout.endswith(ours.public_key)
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "theirs.pem"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "theirs.pem").chmod(0o600)
    assert len(load_signing_key(tmp_path / "theirs.pem", name=NAME).public_key) == 32


def test_passphrases_come_from_a_private_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    write_secret(file, b"two words\n")
    write_secret(tmp_path / "empty", b"\n")
    environment = {"GATEWAY_KEY_PASSPHRASE": "from env", "EMPTY": ""}
    assert read_passphrase(environment=environment) is None
    assert read_passphrase(file=file, environment=environment) == b"two words"
    assert read_passphrase(variable="GATEWAY_KEY_PASSPHRASE", environment=environment) == b"from env"
    with pytest.raises(ConfigurationError, match="only one"):
        read_passphrase(file=file, variable="EMPTY", environment=environment)
    for arguments, named in (({"variable": "UNSET"}, "UNSET"), ({"variable": "EMPTY"}, "EMPTY")):
        with pytest.raises(ConfigurationError, match=named):
            read_passphrase(**arguments, environment=environment)
    with pytest.raises(ConfigurationError, match="empty"):
        read_passphrase(file=tmp_path / "empty", environment=environment)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_passphrase(file=file, environment=environment)
