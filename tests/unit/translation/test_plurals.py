"""One entry isn't `1 entries`: a text with a number before what it counts has both forms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.plurals import counted

pytestmark = pytest.mark.drift

GATEWAY = Path(__file__).parents[3] / "gateway"

COUNTED = (
    "agreements|alerts|authorities|certificates|changes|checks|columns|containers|days|entries|events|fields|"
    "files|hits|hours|items|keys|lines|lists|matches|messages|nodes|partners|proposals|questions|receipts|records|rows|"
    "rules|seconds|signatures|steps|values"
)
AFTER_A_NUMBER = re.compile(
    rf"(?<!at most )(?<!more than )(?<!longer than )(?<!1 to )(?<!within )(?<!every )(?<!of )"
    rf"\{{(\w*)\}} (?:(?!of |for |may |and )[a-z]+ )?({COUNTED})\b"
)
"""Not after words of a limit: limits are many."""

IN_THE_SOURCE = re.compile(rf"\}} (?:[a-z]+ )?(?:{COUNTED})\b")
"""What a module has that has such a text, whose parts on several lines are joined: others aren't parsed."""

BETWEEN_PARTS = re.compile(r"[\"']\s*[fr]*[\"']")

EXCEPTIONS = {
    "client": "programs' errors about a gateway that answers wrongly, by many at a time",
    "evidence/codec/answer_bundle.py": "the words of bundles that earlier versions made, which must stay",
    "cli/alert/publish.py": "help: a default of 30 days",
    "alerts/rules/life.py": "a limit of many questions",
    "feed/codec.py": "numbers beyond any feed's",
    "node/host/capacity.py": "hundreds of files",
    "node/checks/node_checks.py": "hundreds of files, and days of a warning that begins at 30",
    "formats": "two and more: one is right",
    "cli/directory/allowed.py": "no number: a verb follows",
    "cli/directory/revocation.py": "two and more: one is right",
    "node/observation/feeds.py": "thousands: the setting of a backlog",
    "risk/rule_file.py": "more than a limit of hundreds",
    "rpc/authentication.py": "none, or two and more: one is right",
    "translation/check_texts.py": "as in node/checks/node_checks.py",
    "translation/condition_texts.py": "as in node/observation/feeds.py and trust/service/directory_versions.py",
    "translation/refusals.py": "as in alerts/rules/life.py: a limit of many questions",
    "trust/service/directory_versions.py": "days of grace, 30",
}
"""Files and folders whose texts are right for another reason."""


def texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Texts below a node with `{}` or `{name}` for values; not those that have both forms, nor docstrings."""
    match node:
        case ast.Call(func=ast.Name(id="ngettext" | "counted")) | ast.IfExp():
            return
        case ast.JoinedStr(values=values):
            yield node.lineno, "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in values)  # type: ignore[misc]
            return
        case ast.Constant(value=str(text)):
            yield node.lineno, text
    is_documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    for at, child in enumerate(ast.iter_child_nodes(node)):
        if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and (is_documented or at)):
            yield from texts(child)


def without_both_forms() -> Iterator[tuple[str, str]]:
    for path in sorted(GATEWAY.rglob("*.py")):
        name, source = str(path.relative_to(GATEWAY)), path.read_text("utf-8")
        if IN_THE_SOURCE.search(BETWEEN_PARTS.sub("", source)):
            for line, text in texts(ast.parse(source)):
                if AFTER_A_NUMBER.search(text):
                    yield name, f"{name}:{line}: {text}"


def test_texts_with_a_number_have_both_forms() -> None:
    found = list(without_both_forms())
    assert [text for name, text in found if not any(name.startswith(each) for each in EXCEPTIONS)] == []
    needless = {each for each in EXCEPTIONS if not any(name.startswith(each) for name, _ in found)}
    assert needless == set()


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (1_000, "1000 entries")]
)
def test_a_number_with_what_it_counts(number: int, said: str) -> None:
    assert counted(number, "entry") == said
    assert counted(2, "day") == "2 days"
    assert counted(2, "leaf", "leaves") == "2 leaves"
