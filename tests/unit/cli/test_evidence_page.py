"""`gateway evidence page`: what it writes, and what it refuses with a way out."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.evidence.codec.bundle import decode_zip
from gateway.evidence.page.writer import evidence_page
from gateway.evidence.service.files import write_bundle

EARLIER = Path(__file__).parents[2] / "fixtures/first_release_candidate"
ALERT, ANSWER, DIRECTORY = (EARLIER / name for name in ("alert-evidence.zip", "answer-evidence.zip", "directory.note"))


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["evidence", "page", *map(str, words)])


def test_a_page_is_written_of_a_bundle_in_either_form(tmp_path: Path) -> None:
    bundle = decode_zip(ALERT.read_bytes())
    write_bundle(bundle, tmp_path / "case")
    for given in (ALERT, tmp_path / "case"):
        out = tmp_path / f"{given.name}.html"
        said = json.loads(run(given, "--out", out, "--json").stdout)
        written = out.read_bytes()
        assert said == {"path": str(out), "bytes": len(written), "sha_256": sha256(written).hexdigest()}
        assert written == evidence_page(bundle.files)
    run(ALERT, "--directory", DIRECTORY, "--out", tmp_path / "judged.html")
    assert (tmp_path / "judged.html").read_bytes() == evidence_page(bundle.files, DIRECTORY.read_bytes())


def test_a_page_without_evidence_checks_what_its_reader_chooses(tmp_path: Path) -> None:
    assert run("--out", tmp_path / "verifier.html").exit_code == 0
    assert (tmp_path / "verifier.html").read_bytes() == evidence_page()


def test_an_existing_file_stays(tmp_path: Path) -> None:
    (tmp_path / "kept.html").write_text("kept")
    refused = run(ALERT, "--out", tmp_path / "kept.html")
    assert refused.exit_code == 2
    assert "exists already" in refused.stderr
    assert (tmp_path / "kept.html").read_text() == "kept"


@pytest.mark.parametrize(
    ("words", "problem", "way_out"),
    [
        ([ANSWER], "is other evidence than of an alert", f"gateway evidence verify {ANSWER} --directory FILE"),
        ([DIRECTORY], "not a .zip file of a bundle", "what `gateway evidence export` has written"),
        ([ALERT, "--directory", ALERT], "directory refused at step 1 form", "a directory.note as the authorities"),
    ],
)
def test_other_files_are_refused_with_what_to_give(
    tmp_path: Path, words: list[object], problem: str, way_out: str
) -> None:
    refused = run(*words, "--out", tmp_path / "page.html")
    assert refused.exit_code == 2
    said = " ".join(refused.stderr.split())
    assert problem in said
    assert way_out in said
    assert not (tmp_path / "page.html").exists()


def test_a_bundle_with_a_missing_file_is_refused(tmp_path: Path) -> None:
    write_bundle(decode_zip(ALERT.read_bytes()), tmp_path / "case")
    (tmp_path / "case" / "salt.bin").unlink()
    refused = run(tmp_path / "case", "--out", tmp_path / "page.html")
    assert refused.exit_code == 2
    assert "salt.bin is missing" in refused.stderr
