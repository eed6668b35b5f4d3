"""The authority's name in the reader's language, and its emblem, from the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.console.server.static_files import MAX_EMBLEM_BYTES, StaticFiles
from gateway.console.settings import load_console_settings
from gateway.console.templating import new_environment
from gateway.errors import ConfigurationError

SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
GATEWAY = '[gateway]\naddress = "127.0.0.1:7444"\nca = "ca.pem"\ncertificate = "c.pem"\nkey = "c.key"\n'


def settings(folder: Path, *lines: str, tables: str = "") -> Path:
    path = folder / "console.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join([*lines, GATEWAY, tables]), encoding="utf-8")
    return path


def test_each_reader_has_the_name_in_its_language(tmp_path: Path) -> None:
    titles = '[titles]\nzh-Hant = "香港海關"\npt = "Alfândega de Hong Kong"\n'
    found = load_console_settings(settings(tmp_path, 'title = "Hong Kong Customs"', tables=titles))
    assert [found.title_in(one) for one in ("en", "zh-Hans", "zh-Hant", "pt")] == [
        "Hong Kong Customs",
        "Hong Kong Customs",
        "香港海關",
        "Alfândega de Hong Kong",
    ]


def test_an_unknown_language_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"titles: 'fr' isn't one of en, pt, zh-Hans, zh-Hant"):
        load_console_settings(settings(tmp_path, tables='[titles]\nfr = "Douanes"\n'))


def test_the_emblem_stands_on_every_page_in_place_of_the_packaged_one(tmp_path: Path) -> None:
    (tmp_path / "emblem.svg").write_bytes(SVG)
    found = load_console_settings(settings(tmp_path, 'emblem = "emblem.svg"'))
    assert found.emblem == tmp_path / "emblem.svg"
    static = StaticFiles(emblem=found.emblem)
    assert static.emblem == "emblem.svg"
    mark = "{% import 'components/page.html' as page %}{{ page.mark() }}"
    shown = new_environment(static.url, emblem=static.emblem).from_string(mark).render()
    assert f'<img class="emblem" src="{static.url("emblem.svg")}" alt=""' in shown
    packaged = StaticFiles()
    assert "<svg" in new_environment(packaged.url).from_string(mark).render()
    assert static.url("css/console.css") != packaged.url("css/console.css"), "another emblem is another address"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("emblem.html", SVG, "isn't a picture that pages show"),
        ("emblem.svg", b"<html><script>", "isn't such a picture"),
        ("emblem.png", SVG, "isn't such a picture"),
        ("emblem.svg", SVG + b" " * MAX_EMBLEM_BYTES, "too large"),
        ("emblem.svg", None, "No such file"),
    ],
)
def test_anything_else_is_refused_at_the_start(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        StaticFiles(emblem=path)
