"""Decide by rules what a receptionist says: knows the setup's words and tools, and no parcel.

It stands in for the model where speech is real and the vendor is not: it is as narrow as a demonstration
needs, and calls our tools over the wire like the model does.
"""

import re
from collections.abc import Mapping
from typing import Any

from voice.sandbox.brain import SILENCE, FunctionCall, Reply

_GREETING = re.compile(r'Say first[^"]*"([^"]+)"', re.DOTALL)
_YES = re.compile(r"\b(yes|yeah|yep|sure|okay|ok|correct|right|please do|go ahead|that works)\b")
_NO = re.compile(r"\b(no(?! (?:problem|worries))|nope|not|cannot|\w+n't|leave it|wait|wrong)\b")
_BYE = re.compile(r"\b(bye|goodbye|thanks?|that's all|that is all|nothing else|no thank)")
_FAREWELL = re.compile(r"\b(good ?bye|bye)\b")
_THANKS = re.compile(r"\b(?:no,? )?thank(?:s| you).*?(?=\band\b|\bbut\b|[.,;!?]|$)")
_PERSON = re.compile(r"\b(person|human|agent|somebody|someone|colleague|call me back|manager)\b")
_MOVE = re.compile(
    r"\b(move|moving|reschedul\w+|postpon\w+|another (day|time)|other day|different day"
    r"|change the (day|date|time)|(deliver|bring) it (on|later|tomorrow|next|the day after)"
    r"|(deliver|bring) it (mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(not|\w+n't) be (at )?home|not at home|be away)\b"
)
_ADDRESS = re.compile(r"\b(?:address|place|building)\b.{0,12}\b(?:is|at)\b\W+(.{3,})", re.DOTALL)
_WHERE = re.compile(r"\b(where|track\w*|parcel|package|delivery|when|status|arriv\w+|coming)\b")
_DAY = re.compile(
    r"\b((?:next |this |on )?(?:mon|tues|wednes|thurs|fri|satur|sun)day(?: next week)?"
    r"|(?:the )?day after tomorrow|tomorrow|today|next week"
    r"|\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:january|february|march|april|may|june|july|august|september"
    r"|october|november|december)"
    r"|(?:january|february|march|april|may|june|july|august|september|october|november|december)"
    r" \d{1,2}(?:st|nd|rd|th)?)\b"
)
# From here to the end of the clause the days are those that do not suit.
_UNWANTED = re.compile(
    r"\b(?:not|cannot|\w+n't|instead of|rather than)\b.*?(?=\b(?:but|and|so|please|bring|move)\b|[.,;!?]|$)"
)
_CLOCK = r"\d{1,2}(?::\d\d)? ?(?:am|pm|a\.m\.?|p\.m\.?|noon)?"
_WINDOW = re.compile(rf"\b({_CLOCK} ?(?:to|until|till|-) ?{_CLOCK}|morning|afternoon|evening|lunch ?time)")
_NAMED_ID = re.compile(
    r"\b(?:number|code|id|tracking|it is|it's)\b(?: is|:|,)*\s*(.*)", re.IGNORECASE | re.DOTALL
)
_ID_WORDS = frozenset(
    re.findall(
        r"\w+",
        "zero one two three four five six seven eight nine oh double ay bee cee see dee ee eff gee aitch eye "
        "jay kay el em en pee queue cue are ar ess tea tee you vee ex why zed zee to too for ate",
    )
)
_LEAST_ID = 5


class Receptionist:
    """The brain of one conversation."""

    def __init__(self, setup: Mapping[str, object]) -> None:
        instruction = _text_of(setup.get("systemInstruction"))
        quoted = _GREETING.search(instruction)
        self._greeting = quoted[1].strip() if quoted else "Hello, I am an AI assistant. How can I help you?"
        self._tools = _names_of(setup.get("tools"))
        self._greeted = False
        self._wish = "track_shipment"
        self._tracking_id = ""
        self._day = ""
        self._window = ""
        self._change_id = ""
        self._proposal = ""
        self._helped = False

    async def nudged(self, text: str) -> Reply:
        """Greet, the first time; afterwards do as one who is told to go on."""
        if self._greeted:
            return Reply(say="Are you still there?")
        self._greeted = True
        return Reply(say=self._greeting)

    async def heard(self, utterance: str) -> Reply:
        """Answer a turn of the caller's."""
        said = utterance.lower().replace("’", "'")
        if self._change_id and (reply := self._about_the_proposal(said)):
            return reply
        if self._parts(said):
            return self._part()
        if found := said_id(_WINDOW.sub("", _DAY.sub("", said)) if _DAY.search(said) else utterance):
            self._tracking_id = found
        if _MOVE.search(said) or (self._wish == "prepare_reschedule" and _DAY.search(said)):
            return self._move(said)
        if place := _ADDRESS.search(utterance):
            return self._compare(place[1])
        if found:
            return self._call(self._wish if self._wish == "offer_slots" else "track_shipment")
        if self._wish == "confirm_address" and not _NO.search(said):
            return self._compare(utterance)
        return self._otherwise(said)

    async def answered(self, name: str, call_id: str, response: Mapping[str, object]) -> Reply:
        """Say what a tool answered, and remember what it proposed."""
        told = response.get("data")
        proposed = told.get("change_id") if isinstance(told, Mapping) else None
        self._change_id = str(proposed) if name == "prepare_reschedule" and proposed else ""
        self._proposal = str(response.get("message", "")).lower()
        self._helped = True
        if name == "confirm_reschedule":
            self._wish = "track_shipment"
        if name == "end_call":
            return SILENCE
        return Reply(say=str(response.get("message", "")) or "I cannot tell you that just now.")

    def _about_the_proposal(self, said: str) -> Reply | None:
        """Confirm on a plain yes to just what was proposed; whatever is less than that changes nothing."""
        day, window = _day(said), _WINDOW.search(said)
        if (day and day not in self._proposal) or (window and window[1] not in self._proposal):
            return self._move(said)
        if _NO.search(said):
            self._change_id = ""
            return Reply(say="All right, I have changed nothing. Is there anything else?")
        if _YES.search(said):
            return Reply(calls=(FunctionCall("confirm_reschedule", {"change_id": self._change_id}),))
        return None

    def _parts(self, said: str) -> bool:
        """Tell whether a caller is done: who gives thanks and asks for more is not."""
        if not _BYE.search(said):
            return self._helped and bool(re.fullmatch(r"(no|nope)\W*", said.strip()))
        more = _THANKS.sub("", said)
        return bool(_FAREWELL.search(said)) or not (_MOVE.search(more) or _WHERE.search(more) or _day(more))

    def _otherwise(self, said: str) -> Reply:
        if _PERSON.search(said) and "request_callback" in self._tools:
            return self._call("request_callback", with_id=False)
        if "address" in said:
            self._wish = "confirm_address"
            return Reply(say="Please tell me the building, the street or the nearest landmark.")
        if _WHERE.search(said):
            return self._call("track_shipment")
        if not any(character.isalnum() for character in said):
            return SILENCE
        if _YES.search(said) and not _NO.search(said):
            return Reply(say="How can I help you?")
        return Reply(say="I am sorry, I did not understand that. Could you say it again?")

    def _move(self, said: str) -> Reply:
        window = _WINDOW.search(said)
        self._wish = "prepare_reschedule"
        if window:
            self._window = window[1]
        self._day = _day(said) or (self._day if self._change_id else "")
        if not self._day:
            return self._call("offer_slots")
        return self._call("prepare_reschedule", day=self._day, window=self._window)

    def _compare(self, place: str) -> Reply:
        self._wish = "track_shipment"
        return self._call("confirm_address", said=place.strip(" ."))

    def _part(self) -> Reply:
        farewell = Reply(say="Thank you for calling. Goodbye.")
        if "end_call" not in self._tools:
            return farewell
        return Reply(say=farewell.say, calls=(FunctionCall("end_call", {}),))

    def _call(self, tool: str, *, with_id: bool = True, **args: str) -> Reply:
        if tool not in self._tools:
            return Reply(say="I am sorry, I cannot do that on this line.")
        if with_id and self._tracking_id:
            args["tracking_id"] = self._tracking_id
        return Reply(calls=(FunctionCall(tool, {name: value for name, value in args.items() if value}),))


def _day(said: str) -> str:
    """Return the day that a caller wants, the last of several; "" when only others were named."""
    days = _DAY.findall(_UNWANTED.sub("", said))
    return str(days[-1]).removeprefix("on ").removeprefix("this ") if days else ""


def said_id(utterance: str) -> str:
    """Return what sounds like a tracking number in a turn, as it was said; "" when nothing does.

    The longest run of single characters, digits, spelled letters and glued groups that holds a digit.
    """
    named = _NAMED_ID.search(utterance)
    best: list[str] = []
    run: list[str] = []
    for word in [*re.findall(r"[A-Za-z0-9]+", named[1] if named else utterance), "|"]:
        if (len(word) == 1 and word != "|") or any(map(str.isdigit, word)) or _is_spelled(word):
            run.append(word)
            continue
        best, run = max(best, run, key=_length), []
    has_digit = any(any(map(str.isdigit, word)) or word.lower() in _ID_WORDS for word in best)
    return " ".join(best) if has_digit and _length(best) >= _LEAST_ID else ""


def _is_spelled(word: str) -> bool:
    return word.lower() in _ID_WORDS or (word.isupper() and len(word) <= 8)


def _length(run: list[str]) -> int:
    return sum(1 if word.lower() in _ID_WORDS else len(word) for word in run)


def _text_of(content: Any) -> str:
    parts = content.get("parts", []) if isinstance(content, Mapping) else []
    return " ".join(str(part.get("text", "")) for part in parts if isinstance(part, Mapping))


def _names_of(tools: Any) -> frozenset[str]:
    groups = tools if isinstance(tools, list) else []
    return frozenset(
        str(tool["name"])
        for group in groups
        for tool in group.get("functionDeclarations", [])
        if "name" in tool
    )
