"""Read a scenario: what a scripted brain does, and when.

A TOML or JSON file of rules under `when`. Each has one of `nudged`, `heard` (a regular expression that is
looked for in the words) or `answered` (a tool's name; `with` may ask for values in its answer), or
`after_s` (by itself, so long after the setup); it has `say`, `calls`, `raw`, `close`, `wait_s` and
`then`, and `once = true` when it may be used only once. The first rule that fits is used. For faults it may
have `spoilt` (voice/sandbox/mishaps.py) and `huge_bytes`, a frame of that size which means nothing; the
tables under `connection` say what goes wrong with the first connection, the second and so on.

In what is said and in a call's arguments, `{name}` stands for the newest value of that name: a named
group of an expression that fitted, or a value anywhere in a tool's answer. An argument that comes to
nothing is left out.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voice.errors import LocalError
from voice.sandbox.mishaps import UNSPOILT, Mishap, Spoilt, closing, mishap, spoilt

SCENARIOS = Path(__file__).parent / "scenarios"


class ScenarioError(LocalError):
    """A scenario file cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule does, with its names not yet filled in."""

    say: str = ""
    calls: tuple[tuple[str, Mapping[str, Any], str], ...] = ()  # name, arguments, id
    raw: tuple[Mapping[str, Any] | str, ...] = ()
    close: tuple[int, str] | None = None
    wait_s: float = 0.0
    then: "Action | None" = None
    spoilt: Spoilt = UNSPOILT


@dataclass(frozen=True, slots=True)
class Rule:
    """When to do something: `cue` is nudged, heard, answered or after_s."""

    cue: str
    action: Action
    pattern: re.Pattern[str] | None = None
    tool: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    after_s: float = 0.0
    once: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """The rules, in order; `hears` are the words of utterances that nobody can read, one after another."""

    rules: tuple[Rule, ...]
    hears: tuple[str, ...] = ()
    connections: tuple[Mishap, ...] = ()


def load(name: str | Path) -> Scenario:
    """Read a file, or the scenario of that name among our own.

    Raises:
        ScenarioError: there is none, or it is no scenario.
    """
    path = Path(name)
    if not path.suffix:
        path = SCENARIOS / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    return parse(document, str(path))


def parse(document: Mapping[str, Any], name: str = "scenario") -> Scenario:
    """Take a scenario from what its file holds.

    Raises:
        ScenarioError: it holds something else.
    """
    try:
        _only(document, {"when", "hears", "connection"})
        rules = [_rule(rule, f"rule {number}") for number, rule in enumerate(document.get("when", []), 1)]
        hears = document.get("hears", [])
        mishaps = tuple(mishap(table) for table in document.get("connection", []))
        return Scenario(tuple(rules), tuple(str(words) for words in hears), mishaps)
    except (ValueError, KeyError, TypeError, AttributeError, re.error) as error:
        raise ScenarioError(f"{name}: {error}") from error


def _rule(rule: Mapping[str, Any], place: str) -> Rule:
    cues = rule.keys() & {"nudged", "heard", "answered", "after_s"}
    try:
        (cue,) = cues
    except ValueError as error:
        raise ValueError(f"{place} has {len(cues)} of nudged, heard, answered, after_s") from error
    spoken = cue in ("nudged", "heard")
    own = {cue, "once"} | ({"with"} if cue == "answered" else set())
    try:
        return Rule(
            cue=cue,
            action=_action({key: value for key, value in rule.items() if key not in own}),
            pattern=re.compile(rule[cue], re.IGNORECASE) if spoken else None,
            tool=rule[cue] if cue == "answered" else "",
            values=rule.get("with", {}),
            after_s=float(rule[cue]) if cue == "after_s" else 0.0,
            once=bool(rule.get("once", cue == "after_s")),
        )
    except (ValueError, KeyError, TypeError, re.error) as error:
        raise ValueError(f"{place}: {error}") from error


def _action(action: Mapping[str, Any]) -> Action:
    _only(action, {"say", "calls", "raw", "close", "wait_s", "then", "spoilt", "huge_bytes"})
    for call in action.get("calls", []):
        _only(call, {"name", "args", "id"})
    huge = int(action.get("huge_bytes", 0))
    return Action(
        say=str(action.get("say", "")),
        calls=tuple(
            (str(call["name"]), call.get("args", {}), str(call.get("id", "")))
            for call in action.get("calls", [])
        ),
        raw=(*action.get("raw", []), *([{"padding": "x" * huge}] if huge else [])),
        close=closing(action.get("close")),
        wait_s=float(action.get("wait_s", 0.0)),
        then=_action(action["then"]) if "then" in action else None,
        spoilt=spoilt(action["spoilt"]) if "spoilt" in action else UNSPOILT,
    )


def _only(table: Mapping[str, Any], known: set[str]) -> None:
    if unknown := table.keys() - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
