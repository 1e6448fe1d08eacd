"""Decide who is at a number that is rung: by its last two digits, so that each outcome can be dialled."""

from collections.abc import Callable
from enum import StrEnum

from voice.sandbox.caller import Caller, Greet, Script
from voice.sandbox.tones import encode

_RATE_HZ = 16_000
_GREETING = "You have reached the voicemail of this number. Leave a message after the tone."


class Nobody(StrEnum):
    """Why nobody talks at a number, in the platform's words."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"


Callee = Caller | Nobody
Callees = Callable[[str], Callee]


def somebody(_: str) -> Callee:
    """Return a person who picks up, listens to the end and hangs up."""
    return Script()


def by_suffix(number: str) -> Callee:
    """Return who is at a number: …71 is busy, at …72 is nobody, …73 is a voicemail, others listen."""
    match number[-2:]:
        case "71":
            return Nobody.BUSY
        case "72":
            return Nobody.NO_ANSWER
        case "73":
            return voicemail()
        case _:
            return somebody(number)


def voicemail() -> Caller:
    """Return a machine that says its greeting at once, whoever speaks, and records what follows."""
    return Script([Greet(encode(_GREETING, _RATE_HZ))], linger_ms=3000)
