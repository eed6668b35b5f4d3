"""A shown command taken apart, so that what stands for something can be replaced by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.shown_commands import COMMANDS, Shown, command_of


@dataclass
class Call:
    """A command with its arguments and options."""

    path: tuple[str, ...]
    arguments: list[str]
    options: list[tuple[str, str | None]]
    """Each with its value; None for a flag."""
    node: str = "cn"
    """Where it runs."""
    input: str = ""
    """What a person types when asked."""
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, shown: Shown) -> Call:
        """Taken apart; `…` that stands for words is left out, `…` as a value stays."""
        path = command_of(shown.words)
        assert path, f"{shown.where}: there is no command `gateway {' '.join(shown.words)}`"
        known = {name: each for each in COMMANDS[path].params for name in each.opts}
        call, words = cls(path, [], []), list(shown.words[len(path) :])
        while words:
            word = words.pop(0)
            name, equals, value = word.partition("=")
            if name.startswith("-") and name != "-":
                assert name in known, f"{shown.where}: gateway {' '.join(path)} has no option {name}"
                if not equals and not known[name].is_flag:
                    assert words, f"{shown.where}: {name} needs a value"
                    value, equals = words.pop(0), "="
                call.options.append((name, value if equals else None))
            elif word != "…":
                call.arguments.append(word)
        return call

    @property
    def command(self) -> Any:
        return COMMANDS[self.path]

    def takes(self, option: str) -> bool:
        return any(option in each.opts for each in self.command.params)

    def has(self, *options: str) -> bool:
        return any(name in options for name, _ in self.options)

    def value(self, option: str) -> str:
        return next((value or "" for name, value in self.options if name == option), "")

    def set(self, option: str, value: str) -> None:
        """Replaces the value of an option wherever it is given."""
        self.options = [(name, value if name == option else old) for name, old in self.options]

    def give(self, option: str, value: str | None = None) -> None:
        """Adds an option unless it is given."""
        if not self.has(option):
            self.options.append((option, value))

    def complete(self, arguments: list[str], options: dict[str, str]) -> None:
        """Adds what a document left out: arguments at the end, options that aren't given."""
        self.arguments += arguments[len(self.arguments) :]
        for name, value in options.items():
            self.give(name, value)

    def words(self) -> list[str]:
        """After `gateway`."""
        options = [word for name, value in self.options for word in ((name,) if value is None else (name, value))]
        return [
            *self.path,
            *options,
            *(["--"] if any(each.startswith("-") for each in self.arguments) else []),
            *self.arguments,
        ]
