"""Reads and checks the rules file, described in `gateway/reference/risk_rules.toml`, and a node's thresholds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.errors import ConfigurationError, InputFileError
from gateway.formats.tables.mapping_files import parse_toml, read_text
from gateway.risk.facts.kinds import KINDS, LOOKED_FOR
from gateway.risk.learning import LEAST_LIFT
from gateway.v1 import shipment_pb2, trace_pb2

FILE = "risk_rules.toml"

MAX_RULES_BYTES = 512 << 10
"""The packaged one has some 20 kilobytes."""

MAX_RULES = 200
"""Each one costs microseconds per item of interest."""

SEVERITIES: Mapping[str, trace_pb2.Severity.ValueType] = {
    "notice": trace_pb2.SEVERITY_NOTICE,
    "low": trace_pb2.SEVERITY_LOW,
    "medium": trace_pb2.SEVERITY_MEDIUM,
    "high": trace_pb2.SEVERITY_HIGH,
}

FORMATS = ("percent",)
"""Formats of a placeholder's number: `{gap:percent}`."""

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_.]*)(?::([a-z]+))?\}")

_TEXT_KEYS = (
    "id",
    "name",
    "version",
    "typology",
    "confidence",
    "source",
    "about",
    "condition",
    "severity",
    "explanation",
)
_OTHER_KEYS = (
    "candidate",
    "measured",
    "unit",
    "levels",
    "inputs",
    "thresholds",
    "lists",
    "reads",
    "reads_of_all",
    "enabled",
    "lift",
    "learns",
)
_ID = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VERSION = re.compile(r"[!-~]{1,32}")
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\[\s\S])*+(?:"|\\?\Z)|'(?:[^'\\]|\\[\s\S])*+(?:'|\\?\Z))"""  # or to the end
    r"|(?<![\w.])(?:t\.(?P<threshold>[a-z]\w*)|lists\.(?P<list>[a-z]\w*)|(?P<measured>measured))\b"
)


@dataclass(frozen=True, slots=True)
class Level:
    """A severity and its CEL condition."""

    severity: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule with the thresholds in force.

    Attributes:
        about: kind of case.
        condition: CEL, true where it fires.
        candidate: CEL over a record, true if others are looked for; for kinds in LOOKED_FOR alone.
        severity: if no level applies.
        levels: the first that holds gives the severity.
        explanation: a sentence with placeholders.
        measured: CEL for the measured number; empty for yes/no rules.
        unit: of the measured number; "share": 1 is the whole; empty: a plain number.
        inputs: name to CEL, shown with a hit.
        thresholds, lists: constants of expressions, `t.name` and `lists.name`.
        reads: paths that it needs of the records concerned; if one is withheld the rule isn't evaluated.
        reads_of_all: the same for all records of a trace.
        lift: measured on known outcomes (docs/risk-rules.md); None: not measured.
        learns: the threshold that `measured` is compared with from below, which outcomes may show better; empty: none.
    """

    id: str
    name: str
    version: str
    typology: str
    confidence: str
    source: str
    about: str
    condition: str
    severity: str
    explanation: str
    candidate: str = ""
    measured: str = ""
    unit: str = ""
    levels: tuple[Level, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    reads_of_all: tuple[str, ...] = ()
    enabled: bool = True
    lift: float | None = None
    learns: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSetting:
    """A node's changes to a rule."""

    enabled: bool | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)


def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """The rules at a path, or the packaged ones.

    Raises:
        ConfigurationError: unreadable, not TOML, or a wrong rule; names file, rule and field.
    """
    if path is None:
        text = resources.files("gateway.reference").joinpath(FILE).read_text("utf-8")
        return parse_rules(text, source=FILE)
    text = read_text(path, what="the rules file", most_bytes=MAX_RULES_BYTES)
    return parse_rules(text, source=str(path))


@lru_cache(maxsize=1)
def parse_rules(text: str, *, source: str) -> tuple[Rule, ...]:
    """Parses TOML; `source` names it in errors. Raises as `load_rules`."""
    return parse_toml(text, _rules, source=source)


def with_settings(rules: Sequence[Rule], settings: Mapping[str, RuleSetting]) -> tuple[Rule, ...]:
    """The rules with a node's settings; a changed rule says so in its version.

    Raises:
        ConfigurationError: unknown rule, threshold or list.
    """
    known = {rule.id for rule in rules}
    for rule_id in settings:
        if rule_id not in known:
            raise InputFileError(f"settings of rule {rule_id}: there is no such rule; known: {', '.join(known)}")
    return tuple(_set(rule, settings[rule.id]) if rule.id in settings else rule for rule in rules)


def bound(rule: Rule, text: str) -> str:
    """An expression with its constants filled in.

    Raises:
        ConfigurationError: unknown threshold or list, or `measured` without one.
    """

    def constant(match: re.Match[str]) -> str:
        if match["threshold"]:
            return f"{_known(rule.thresholds, match['threshold'], 'threshold'):.17g}" + (
                "" if _has_point(rule.thresholds[match["threshold"]]) else ".0"
            )
        if match["list"]:
            words = _known(rule.lists, match["list"], "list")
            return "[" + ", ".join(_quoted(word) for word in words) + "]" if words else "['']"
        if match["measured"]:
            if not rule.measured or text == rule.measured:
                raise InputFileError("uses measured, but the rule doesn't say what is measured")
            return f"({bound(rule, rule.measured)})".replace("\n", " ")  # keeps the condition's line numbers
        return match.group()

    return _TOKEN.sub(constant, text)


def whole_condition(rule: Rule) -> str:
    """Condition combined with candidate."""
    if not rule.candidate:
        return rule.condition
    return f"({rule.candidate}) ".replace("\n", " ") + f"&& ({rule.condition})"  # keeps the condition's line numbers


def measured_shown(rule: Rule) -> str:
    """A condition for people: the measure written out, thresholds by name."""
    return _TOKEN.sub(lambda match: f"({rule.measured})" if match["measured"] else match.group(), whole_condition(rule))


def digest(rules: Sequence[Rule]) -> str:
    """Twelve hexadecimal digits over all rules."""
    said = sha256()
    for rule in rules:
        said.update(repr(rule).encode())
    return said.hexdigest()[:12]


def _known(table: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in table:
        raise InputFileError(f"names the {what} {name!r}, which the rule doesn't have")
    return table[name]


def _has_point(number: float) -> bool:
    return any(char in f"{number:.17g}" for char in ".e")


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _set(rule: Rule, setting: RuleSetting) -> Rule:
    for name, number in setting.thresholds.items():
        if name not in rule.thresholds:
            has = ", ".join(rule.thresholds) or "none"
            raise InputFileError(f"settings of rule {rule.id}: it has no threshold {name!r}; it has {has}")
        _finite(number, f"settings of rule {rule.id}: thresholds.{name}")
    for name in setting.lists:
        if name not in rule.lists:
            has = ", ".join(rule.lists) or "none"
            raise InputFileError(f"settings of rule {rule.id}: it has no list {name!r}; it has {has}")
    own = replace(
        rule,
        thresholds={**rule.thresholds, **{name: float(number) for name, number in setting.thresholds.items()}},
        lists={**rule.lists, **{name: tuple(words) for name, words in setting.lists.items()}},
        enabled=rule.enabled if setting.enabled is None else setting.enabled,
    )
    if (own.thresholds, own.lists) == (rule.thresholds, rule.lists):
        return own
    return replace(own, version=f"{rule.version}+{digest([own])[:6]}")


def _rules(document: dict[str, Any]) -> tuple[Rule, ...]:
    entries = document.get("rules")
    if set(document) - {"rules"} or not isinstance(entries, list) or not entries:
        raise InputFileError("must have [[rules]] and nothing else")
    if len(entries) > MAX_RULES:
        raise InputFileError(f"has {len(entries)} rules, at most {MAX_RULES} are allowed")
    rules: list[Rule] = []
    for number, entry in enumerate(entries, 1):
        label = (
            f"rule {entry['id']}" if isinstance(entry, dict) and isinstance(entry.get("id"), str) else f"rule #{number}"
        )
        try:
            rule = _rule(entry)
            if any(rule.id == other.id for other in rules):
                raise InputFileError("id: there is another rule of this id")
        except ConfigurationError as error:
            raise InputFileError(f"{label}: {error.message}") from None
        rules.append(rule)
    return tuple(rules)


def _rule(entry: Any) -> Rule:
    if not isinstance(entry, dict):
        raise InputFileError("must be a table [[rules]]")
    for key in entry:
        if key not in (*_TEXT_KEYS, *_OTHER_KEYS):
            raise InputFileError(f"{key}: is unknown; known are {', '.join((*_TEXT_KEYS, *_OTHER_KEYS))}")
    texts = {key: _text(entry.get(key), key) for key in _TEXT_KEYS}
    rule = Rule(
        **texts,
        candidate=_text(entry.get("candidate"), "candidate") if "candidate" in entry else "",
        measured=_text(entry.get("measured"), "measured") if "measured" in entry else "",
        unit=_text(entry.get("unit"), "unit") if "unit" in entry else "",
        levels=tuple(_level(level, index) for index, level in enumerate(_list(entry, "levels"))),
        inputs={name: _text(text, f"inputs.{name}") for name, text in _table(entry, "inputs").items()},
        thresholds={
            name: _finite(number, f"thresholds.{name}") for name, number in _table(entry, "thresholds").items()
        },
        lists={name: _words(words, f"lists.{name}") for name, words in _table(entry, "lists").items()},
        reads=_words(_list(entry, "reads"), "reads"),
        reads_of_all=_words(_list(entry, "reads_of_all"), "reads_of_all"),
        enabled=_flag(entry.get("enabled", True), "enabled"),
        lift=_finite(entry["lift"], "lift") if "lift" in entry else None,
        learns=_text(entry.get("learns"), "learns") if "learns" in entry else "",
    )
    require_rule(rule)
    return rule


def require_rule(rule: Rule) -> None:
    """Raises ConfigurationError for what is wrong with a rule beside its expressions; names the field."""
    for key, shape in (("id", _ID), ("name", _NAME), ("version", _VERSION)):
        if shape.fullmatch(getattr(rule, key)) is None:
            raise InputFileError(f"{key}: {getattr(rule, key)[:40]!r} isn't of the form {shape.pattern}")
    _one_of(rule.confidence, ("high", "medium", "low"), "confidence")
    _one_of(rule.about, tuple(KINDS), "about")
    _one_of(rule.severity, tuple(SEVERITIES), "severity")
    if bool(rule.candidate) is not (rule.about in LOOKED_FOR):
        raise InputFileError(
            "candidate: must say for which records others are looked for"
            if rule.about in LOOKED_FOR
            else f"candidate: nothing is looked for where a rule is about {rule.about}"
        )
    if rule.lift is not None and rule.lift < LEAST_LIFT and rule.enabled:
        raise InputFileError(f"lift: a rule with a lift below {LEAST_LIFT} must say enabled = false")
    if rule.learns and (rule.learns not in rule.thresholds or not rule.measured):
        raise InputFileError(f"learns: {rule.learns[:40]!r} must be a threshold of a rule that measures")
    if rule.unit and not rule.measured:
        raise ConfigurationError("unit: the rule doesn't say what is measured")
    for key in ("reads", "reads_of_all"):
        for path in getattr(rule, key):
            if not _exists(path, shipment_pb2.Shipment.DESCRIPTOR):
                raise InputFileError(f"{key}: a shipment has no field {path!r}")
    known = {*rule.inputs, *(f"t.{name}" for name in rule.thresholds), *(["measured"] if rule.measured else [])}
    for match in PLACEHOLDER.finditer(rule.explanation):
        if match[1] not in known:
            raise InputFileError(f"explanation: {match.group()} is no input, threshold or measured value")
        if match[2] is not None and match[2] not in FORMATS:
            raise InputFileError(f"explanation: {match.group()} has an unknown format; known: {', '.join(FORMATS)}")


def _exists(path: str, descriptor: Descriptor | None) -> bool:
    for part in path.split("."):
        if descriptor is None or part not in descriptor.fields_by_name:
            return False
        descriptor = descriptor.fields_by_name[part].message_type
    return True


def _level(level: Any, index: int) -> Level:
    where = f"levels[{index}]"
    if not isinstance(level, dict) or set(level) != {"severity", "when"}:
        raise InputFileError(f"{where}: must have severity and when, and nothing else")
    _one_of(level["severity"], tuple(SEVERITIES), f"{where}.severity")
    return Level(level["severity"], _text(level["when"], f"{where}.when"))


def _text(value: object, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputFileError(f"{key}: must be a text in quotes and not empty")
    return value.strip()


def _flag(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise InputFileError(f"{key}: must be true or false")
    return value


def _finite(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputFileError(f"{key}: must be a number")
    return float(value)


def _list(entry: Mapping[str, Any], key: str) -> list[Any]:
    value = entry.get(key, [])
    if not isinstance(value, list):
        raise InputFileError(f"{key}: must be a list")
    return value


def _words(value: object, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise InputFileError(f"{key}: must be a list of texts")
    return tuple(value)


def _table(entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = entry.get(key, {})
    if not isinstance(value, dict):
        raise InputFileError(f"{key}: must be a table")
    for name in value:
        if _NAME.fullmatch(name) is None:
            raise InputFileError(f"{key}.{name}: a name must be of the form {_NAME.pattern}")
    return value


def _one_of(value: object, allowed: Sequence[str], key: str) -> None:
    if value not in allowed:
        raise InputFileError(f"{key}: {str(value)[:40]!r} is unknown; use one of {', '.join(allowed)}")
