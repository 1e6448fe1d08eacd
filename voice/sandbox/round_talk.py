"""Read from a turn, as Whisper writes it, what a driver wants of his round; pure."""

import re

from voice.sandbox.brain import FunctionCall

_NUMBER = r"(?:\d{1,3}|one|two|three|four|five|six|seven|eight|nine)"
_NAMED = re.compile(rf"\bstop (?:number )?({_NUMBER})\b")
_NEXT = re.compile(r"\bnext stop\b|\bwhere (?:do|should|shall|must) i go\b")
_WAY = re.compile(
    r"\b(?:find|where is|get to|way to)\b.{0,30}\b(?:gate|door|entrance|house|stop)\b|\bdirections\b"
)
_MINUTES = re.compile(r"\b(\d{1,3})\b(?: more)? min")
_LATE = re.compile(r"\b(?:late|behind|delayed)\b")
_RING = re.compile(r"\b(?:call|ring|phone)\b.{0,20}\b(?:recipient|customer|her|him|them)\b")
_REASONS = (
    (re.compile(r"\b(?:nobody|no one)\b|\bnot (?:at )?home\b"), "not_home"),
    (re.compile(r"\brefus\w+|\b(?:not|\w+n't) want\b"), "refused"),
    (re.compile(r"\bclosed\b"), "business_closed"),
    (re.compile(r"\blet me in\b|\bno access\b"), "access_restricted"),
    (re.compile(r"\b(?:cannot|can't|could not|couldn't) find\b"), "address_not_found"),
)
"""Why nothing was handed over, and what our tool calls it."""


def wish(said: str, stop: str) -> FunctionCall | None:
    """Return the tool for what a driver wants; `stop` is the one last spoken of, and "" on no round.

    Customers use many of the same words: what may be one's as well is a driver's only on a round.
    """
    named = _NAMED.search(said)
    if _WAY.search(said):
        return FunctionCall("stop_directions", {"stop": named[1]} if named else {})
    if _NEXT.search(said):
        return FunctionCall("next_stop", {})
    if not (named or stop):
        return None
    meant = {"stop": named[1] if named else stop}
    if _RING.search(said):
        return FunctionCall("call_recipient", meant)
    if (minutes := _MINUTES.search(said)) or _LATE.search(said):
        return FunctionCall("running_late", {"minutes": minutes[1]} if minutes else {})
    reason = next((name for words, name in _REASONS if words.search(said)), "")
    return FunctionCall("report_attempt", {**meant, "reason": reason}) if reason else None
