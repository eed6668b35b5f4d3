"""The command line as a whole: help that a stranger can follow, documents that agree with it, errors in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import main as main_module
from gateway.cli.main import app, main
from tests.support.shown_commands import COMMANDS, ROOT, code_of, command_lines, pages, problem, words_of


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", **environment}).invoke(app, list(arguments))


SINGLE = [
    (path, max(option.opts, key=len))
    for path, command in COMMANDS.items()
    for option in command.params
    if option.param_type_name == "option" and not option.multiple and not (option.is_flag and not option.secondary_opts)
]
"""Every option of every command that holds one value."""


PROMISED = """
init serve doctor status verify rebuild recover audit.list evidence.export evidence.verify
alert.publish alert.list alert.show alert.watch alert.ack alert.flag alert.ask alert.answer alert.finding alert.close
alert.withdraw alert.amend
watchlist.import watchlist.propose watchlist.proposals watchlist.approve watchlist.reject watchlist.withdraw
watchlist.list watchlist.show watchlist.diff watchlist.watch watchlist.export
history.import history.search history.show history.trace history.risks history.rules history.balance
history.hold.place history.hold.release history.hold.list
link.list link.suspend link.resume link.resolve link.recover
pki.init-ca pki.request pki.issue pki.signing-keys pki.directory-key pki.show
directory.card directory.draft directory.renew directory.remove-member directory.revoke directory.sign
directory.verify directory.show directory.diff
"""


def test_there_are_the_commands_that_are_promised() -> None:
    assert {tuple(name.split(".")) for name in PROMISED.split()} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_and_shows_an_example_that_is_a_command(path: tuple[str, ...]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0, result.output
    text = COMMANDS[path].callback.__doc__
    assert text
    examples = [words_of(line) for line in command_lines(text)]
    assert examples, f"gateway {' '.join(path)} --help shows no example"
    assert any(tuple(words[: len(path)]) == path for words in examples)
    assert [found for found in (problem(words) for words in examples) if found] == []
    assert "--json" in {name for each in COMMANDS[path].params for name in each.opts}


@pytest.mark.parametrize(
    "path",
    [path for path in COMMANDS if path[0] in ("alert", "watchlist", "history", "link", "audit", "status", "recover")],
    ids=" ".join,
)
def test_commands_that_reach_a_gateway_tell_exit_codes_roles_and_connection(path: tuple[str, ...]) -> None:
    text = COMMANDS[path].callback.__doc__
    assert "Exit codes:" in text
    assert "Role" in text
    options = {name for each in COMMANDS[path].params for name in each.opts}
    assert {"--config", "--system", "--address", "--ca", "--cert", "--key"} <= options


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_commands_in_documents_are_commands(path: Path) -> None:
    code = code_of(path)
    exported = set(re.findall(r"^\s*export (\w+)=", code, re.MULTILINE))
    wrong = {line: found for line in command_lines(code) if (found := problem(words_of(line), exported))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("alert acknowledge cn/1", "there is no command"),
        ("alert ack cn/1 --colour red", "has no option --colour"),
        ("alert ack", "takes 1 to 1 arguments, not 0"),
        ("alert flag cn/1 --reason other", "needs --explanation"),
        ("alert ack cn/1 --case", "--case needs a value"),
    ],
)
def test_the_check_of_documents_finds_what_is_wrong(line: str, said: str) -> None:
    assert said in problem(words_of(line))


def test_the_integrating_guide_has_commands_to_check() -> None:
    assert len(list(command_lines(code_of(ROOT / "docs" / "integrating.md")))) >= 5


def test_version() -> None:
    assert re.fullmatch(r"gateway \d+\.\d+\.\d+\n", run("--version").output)


def test_a_defect_is_a_sentence_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main_module, "app", lambda **_: 1 / 0)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "defect" in told
    assert "ZeroDivisionError" in told
    assert "GATEWAY_DEBUG=1" in told
    monkeypatch.setenv("GATEWAY_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main()


def refusal_of(path: tuple[str, ...], *words: str) -> str:
    """What is wrong with the words after a command, as its parser says."""
    try:
        COMMANDS[path].make_context(" ".join(path), list(words))
    except Exception as error:
        return str(getattr(error, "message", error))
    return ""


def test_a_second_value_for_an_option_with_one_is_refused_by_every_command() -> None:
    """The last one would win, and nobody would know that the first was lost."""
    assert len(SINGLE) > 100
    accepted = [
        (path, option)
        for path, option in SINGLE
        if refusal_of(path, option, "1", option, "2") != f"{option} takes one value and was given twice"
    ]
    assert accepted == []
    result = run("directory", "show", "x", "--json")
    assert "twice" not in result.stderr
    result = run("evidence", "export", "x", "--out", "a.zip", "--out=b.zip")
    assert (result.exit_code, "--out takes one value" in result.stderr) == (2, True)


def test_a_flag_may_be_repeated_and_so_may_an_option_with_many_values() -> None:
    words = ["--node", "cn", "--federation", "x.example", *["--json"] * 2, "--fetch", "hk", "--fetch", "mo"]
    context = COMMANDS["init",].make_context("init", words)
    assert context.params["fetch"] == ["hk", "mo"]


@pytest.mark.parametrize(
    ("option", "first", "second"),
    [("--system", "desk=officer", "desk=publisher"), ("--link", "hk=pull", "hk=push")],
)
def test_a_name_is_given_one_value(tmp_path: Path, option: str, first: str, second: str) -> None:
    arguments = ("init", "--node", "cn", "--federation", "x.example", "--out", str(tmp_path))
    result = run(*arguments, option, first, option, second)
    assert result.exit_code == 2
    assert "twice" in result.stderr
    assert list(tmp_path.iterdir()) == []
