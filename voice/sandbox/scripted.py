"""Stand in for the model by script: what is said is in a file, and needs no speech package.

It speaks in tones (voice/sandbox/tones.py) and reads a caller who does so, too. Of any other sound it
knows that somebody spoke; the scenario then says which words to take it for.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from math import sqrt
from typing import Any

import numpy as np

from voice.audio import MODEL_IN_HZ, MODEL_OUT_HZ
from voice.sandbox.brain import SILENCE, FunctionCall, Reply, SpeechEnded, SpeechStarted, Voice
from voice.sandbox.scenario import Action, Rule, Scenario
from voice.sandbox.tones import decode, encode

_FRAME_MS = 20
_FRAME_BYTES = MODEL_IN_HZ * 2 * _FRAME_MS // 1000
_LOUD_RMS = 300.0
_BEFORE_FRAMES = 15  # of an utterance belong to it, too
_LEAST_MS = 40  # of sound are speech
_SILENCE_MS = 800  # unless the setup says how long
_FIELD = re.compile(r"\{(\w+)\}")


class EnergyEars:
    """Takes for speech what is loud, with the limits that the setup asks for."""

    def __init__(self, setup: Mapping[str, Any], hears: Iterator[str]) -> None:
        detection = setup.get("realtimeInputConfig", {}).get("automaticActivityDetection", {})
        self._start_frames = max(_LEAST_MS, detection.get("prefixPaddingMs", 0)) // _FRAME_MS
        self._end_frames = max(1, detection.get("silenceDurationMs", _SILENCE_MS) // _FRAME_MS)
        self._hears = hears
        self._rest = b""
        self._fed_frames = 0
        self._kept: list[bytes] = []
        self._loud = 0
        self._quiet = 0
        self._speaks = False

    def feed(self, pcm: bytes) -> list[SpeechStarted | SpeechEnded]:
        """Return what the next 16 kHz s16le mono samples made happen."""
        self._rest += pcm
        whole = len(self._rest) - len(self._rest) % _FRAME_BYTES
        frames, self._rest = self._rest[:whole], self._rest[whole:]
        events = [
            self._frame(frames[start : start + _FRAME_BYTES]) for start in range(0, whole, _FRAME_BYTES)
        ]
        return [event for event in events if event]

    async def read(self, pcm: bytes) -> str:
        """Return words that were said in tones; for another sound, the next that the scenario has."""
        return decode(pcm, MODEL_IN_HZ) or next(self._hears, "")

    def _frame(self, frame: bytes) -> SpeechStarted | SpeechEnded | None:
        self._fed_frames += 1
        self._kept.append(frame)
        is_loud = _rms(frame) >= _LOUD_RMS
        self._loud = self._loud + 1 if is_loud else 0
        self._quiet = 0 if is_loud else self._quiet + 1
        now_s = self._fed_frames * _FRAME_MS / 1000
        if self._speaks:
            if self._quiet < self._end_frames:
                return None
            spoken, self._kept, self._speaks = b"".join(self._kept), [], False
            return SpeechEnded(spoken, now_s)
        if self._loud < self._start_frames:
            del self._kept[: -_BEFORE_FRAMES - self._start_frames]
            return None
        self._speaks = True
        return SpeechStarted(now_s - self._start_frames * _FRAME_MS / 1000)


class TonalMouth:
    """Speaks in tones, about as fast as a person."""

    async def speak(self, text: str) -> bytes:
        """Return 24 kHz s16le mono sound."""
        return encode(text, MODEL_OUT_HZ)


class ScriptedBrain:
    """Does what its scenario says.

    A call that the caller's voice dropped is made anew, with another id, once the caller was heard: the
    real model does so, and a tool must not act twice for it.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._known: dict[str, str] = {}
        self._used: set[int] = set()
        self._dropped: tuple[FunctionCall, ...] = ()

    async def nudged(self, text: str) -> Reply:
        """Answer what the client wrote."""
        return self._spoken("nudged", text)

    async def heard(self, utterance: str) -> Reply:
        """Answer what the caller said."""
        reply = self._spoken("heard", utterance)
        dropped, self._dropped = self._dropped, ()
        if not dropped:
            return reply
        again = tuple(FunctionCall(call.name, call.args) for call in dropped)
        return Reply(calls=again, then=None if reply == SILENCE else reply)

    async def answered(self, name: str, call_id: str, response: Mapping[str, object]) -> Reply:
        """Go on after a tool answered."""
        values = dict(_leaves(response))
        self._known |= values
        for number, rule in self._rules("answered"):
            wanted = {key: _written(value) for key, value in rule.values.items()}
            if rule.tool == name and wanted.items() <= values.items():
                return self._use(number, rule)
        return SILENCE

    def interrupted(self, dropped: tuple[FunctionCall, ...]) -> None:
        """Keep the calls that are to be made anew."""
        self._dropped += dropped

    async def unprompted(self) -> AsyncIterator[Reply]:
        """Do what is to be done at its own time."""
        passed_s = 0.0
        for number, rule in sorted(self._rules("after_s"), key=lambda found: found[1].after_s):
            await asyncio.sleep(rule.after_s - passed_s)
            passed_s = rule.after_s
            yield self._use(number, rule)

    def _spoken(self, cue: str, words: str) -> Reply:
        for number, rule in self._rules(cue):
            found = rule.pattern.search(words) if rule.pattern else None
            if found:
                self._known |= {name: value for name, value in found.groupdict().items() if value}
                return self._use(number, rule)
        return SILENCE

    def _rules(self, cue: str) -> list[tuple[int, Rule]]:
        rules = enumerate(self._scenario.rules)
        return [(number, rule) for number, rule in rules if rule.cue == cue and number not in self._used]

    def _use(self, number: int, rule: Rule) -> Reply:
        if rule.once:
            self._used.add(number)
        return self._reply(rule.action)

    def _reply(self, action: Action) -> Reply:
        return Reply(
            say=self._filled(action.say),
            calls=tuple(FunctionCall(name, self._arguments(args), id_) for name, args, id_ in action.calls),
            raw=action.raw,
            close=action.close,
            wait_s=action.wait_s,
            then=self._reply(action.then) if action.then else None,
            spoilt=action.spoilt,
        )

    def _arguments(self, args: Mapping[str, Any]) -> dict[str, object]:
        filled = {
            name: self._filled(value) if isinstance(value, str) else value for name, value in args.items()
        }
        return {name: value for name, value in filled.items() if value != ""}

    def _filled(self, text: str) -> str:
        return _FIELD.sub(lambda field: self._known.get(field[1], ""), text)


def scripted_voice(scenario: Scenario) -> Voice:
    """Return a stand-in that does what `scenario` says, anew in each conversation."""
    return Voice(
        brain_factory=lambda _: ScriptedBrain(scenario),
        ears_factory=lambda setup: EnergyEars(setup, iter(scenario.hears)),
        mouth=TonalMouth(),
    )


def _rms(frame: bytes) -> float:
    samples = np.frombuffer(frame, "<i2").astype(np.float64)
    return sqrt(samples @ samples / len(samples))


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _leaves(inner, str(key))
        case list():
            for inner in reversed(value):  # the first of several is the one that counts
                yield from _leaves(inner, name)
        case None:
            pass
        case _:
            yield name, _written(value)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
