"""Which test files a run with `-k` reads: to import all of them takes more than ten seconds of a core.

`-k` looks for words in names of folders, files, classes, functions, marks and parameters, which mostly stand in a
file's path and text. Only where no file has the words are all read, and the end of the run says how many were. A file
that takes the names of its parameters from elsewhere is read when the command names the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import chain, combinations
from pathlib import Path

from _pytest.mark.expression import Expression

MOST_WORDS = 8
"""Of an expression that are in one file; where there are more, it is read."""


class Keywords:
    """An expression of `-k` that is asked of files before they are read.

    Args:
        expression: as given, e.g. `evidence and not bundle`.
        root: the folder of all tests.
        everywhere: parameters' names that tests of any file may have.

    Raises:
        SyntaxError: it is no expression.
    """

    def __init__(self, expression: str, root: Path, *, everywhere: Collection[str] = ()) -> None:
        self._expression = Expression.compile(expression)
        self._everywhere = " ".join(everywhere)
        files = [path for path in root.rglob("*.py") if path.name.startswith("test_")]
        self._chosen = {path for path in files if self._is_possible(path, root)}
        self._folders = {folder for path in self._chosen for folder in path.parents}
        self.read, self.total = len(self._chosen) or len(files), len(files)

    def leaves_out(self, path: Path) -> bool:
        """Whether a file, or a folder whose conftest would be read, has no test that is selected."""
        return bool(self._chosen) and path not in (self._folders if path.is_dir() else self._chosen)

    def _is_possible(self, path: Path, root: Path) -> bool:
        """Whether the expression holds for names that have some of the words which are there."""
        fixtures = [folder / "conftest.py" for folder in path.parents if root in folder.parents]
        texts = [one.read_text(encoding="utf-8") for one in (path, *fixtures) if one.exists()]
        text = " ".join((str(path.relative_to(root.parent)), self._everywhere, *texts)).lower()
        present = [word for word in self._expression.idents() if _has(text, word.lower())]
        if len(present) > MOST_WORDS:
            return True
        subsets = chain.from_iterable(combinations(present, count) for count in range(len(present) + 1))
        return any(self._expression.evaluate(lambda word, having=having: word in having) for having in subsets)


def _has(text: str, word: str) -> bool:
    """Whether a name made of this text may have a word: pytest joins parameters by - and [], and numbers them."""
    return all(part in text for part in re.findall(r"[^\W\d]+", word))
