"""Decide by rules what a receptionist says: knows the setup's words and tools, and no parcel.

It stands in for the model where speech is real and the vendor is not: it is as narrow as a demonstration
needs, and calls our tools over the wire like the model does.
"""

import re
from collections.abc import Mapping
from typing import Any

from voice.sandbox import phrases, round_talk
from voice.sandbox.brain import SILENCE, FunctionCall, Reply

_GREETING = re.compile(r'Say first[^"]*"([^"]+)"', re.DOTALL)
_COURIER = re.compile(r"assistant of (.+?), a courier")
_REPORT = "report_answered_by"
_RECORDING = re.compile(r"\brecording\b")
_WE_RANG = re.compile(r"\bYou rang\b|\bSomebody or something answered\b")
_CONFIRMS = {
    "prepare_reschedule": "confirm_reschedule",
    "prepare_address_change": "confirm_address_change",
    "hold_for_pickup": "confirm_hold_for_pickup",
    "authorise_neighbour": "confirm_neighbour",
    "refuse_delivery": "confirm_refusal",
    "report_attempt": "confirm_report",
    "running_late": "confirm_report",
}
"""What carries out what a tool proposed."""
_QUESTIONS = {
    "landmark": "Please tell me the nearest landmark of the new place.",
    "directions": "How does the rider get from there to your door?",
    "recipient": "Am I speaking with the person expecting the delivery?",
}


class Receptionist:
    """The brain of one conversation."""

    def __init__(self, setup: Mapping[str, object]) -> None:
        instruction = _text_of(setup.get("systemInstruction"))
        quoted, courier = _GREETING.search(instruction), _COURIER.search(instruction)
        self._greeting = quoted[1].strip() if quoted else "Hello, I am an AI assistant. How can I help you?"
        self._courier = courier[1] if courier else "the courier"
        self._tools = _names_of(setup.get("tools"))
        self._we_rang = bool(_WE_RANG.search(instruction))
        self._question = "recipient" if self._we_rang else ""
        self._greeted = False
        self._wish = "track_shipment"
        self._tracking_id = ""
        self._day = ""
        self._window = ""
        self._landmark = ""
        self._called: FunctionCall | None = None
        self._wants_code: FunctionCall | None = None
        self._change_id = ""
        self._confirm = ""
        self._proposal = ""
        self._helped = False
        self._word = ""  # for a recording: who rang
        self._cut_off = False
        self._stop = ""  # of a driver's round, spoken of last

    async def nudged(self, text: str) -> Reply:
        """Greet, the first time; afterwards do as one who is told to go on."""
        if self._greeted:
            is_told_of_one = self._we_rang and _RECORDING.search(text)
            return self._leave_word() if is_told_of_one else Reply(say="Are you still there?")
        self._greeted = True
        return Reply(say=self._greeting)

    async def heard(self, utterance: str) -> Reply:
        """Answer a turn of the caller's."""
        said = utterance.lower().replace("’", "'")
        if self._word:
            return self._go_on_with_recording()
        if self._we_rang and not self._helped and phrases.VOICEMAIL.search(said):
            return self._leave_word()
        if self._question and (reply := self._about_the_question(said, utterance)):
            return reply
        if self._change_id and (reply := self._about_the_proposal(said)):
            return reply
        if self._parts(said):
            return self._part()
        of_a_round = round_talk.wish(said, self._stop)
        if of_a_round is not None and of_a_round.name in self._tools:
            return self._make(of_a_round)
        return self._about_a_parcel(said, utterance)

    async def answered(self, name: str, call_id: str, response: Mapping[str, object]) -> Reply:
        """Say what a tool answered, and remember what it proposed."""
        data = response.get("data")
        told: Mapping[str, object] = data if isinstance(data, Mapping) else {}
        is_done = response.get("status") == "ok"
        proposed = told.get("change_id") if name in _CONFIRMS else None
        self._change_id, self._confirm = str(proposed or ""), _CONFIRMS.get(name, "")
        message = str(response.get("message", ""))
        self._proposal = message.lower()
        if name == "end_call":
            return SILENCE
        if name == _REPORT:
            return self._part(self._keep_word(message))
        self._helped = True
        self._stop = str(told.get("stop", self._stop))
        if name in _CONFIRMS.values():
            self._wish = "track_shipment"
        if name == "confirm_recipient" and is_done:
            return self._call("track_shipment")
        if told.get("code") == "needs_code":
            self._question, self._wants_code = "code", self._called
        if name == "submit_pin" and self._wants_code:
            if is_done:
                wanted, self._wants_code = self._wants_code, None
                return Reply(calls=(wanted,))
            self._question = "code"
        return Reply(say=message or "I cannot tell you that just now.")

    def interrupted(self, dropped: tuple[FunctionCall, ...]) -> None:
        """Note that somebody spoke over it."""
        self._cut_off = True

    def _about_a_parcel(self, said: str, utterance: str) -> Reply:
        named = phrases.WINDOW.sub("", phrases.DAY.sub("", said)) if phrases.DAY.search(said) else utterance
        if found := phrases.said_id(named):
            self._tracking_id = found
        if "prepare_address_change" in self._tools and phrases.ELSEWHERE.search(said):
            return self._ask("landmark")
        if phrases.MOVE.search(said) or (self._wish == "prepare_reschedule" and phrases.DAY.search(said)):
            return self._move(said)
        if place := phrases.ADDRESS.search(utterance):
            return self._compare(place[1])
        if found:
            return self._call(self._wish if self._wish == "offer_slots" else "track_shipment")
        if self._wish == "confirm_address" and not phrases.NO.search(said):
            return self._compare(utterance)
        return self._otherwise(said)

    def _about_the_question(self, said: str, utterance: str) -> Reply | None:
        """Take the answer to what was asked; None when it is none."""
        if phrases.NEVER_MIND.search(said):
            self._question = ""
            return Reply(say="All right, I have changed nothing. Is there anything else?")
        match self._question:
            case "recipient":
                return self._about_the_recipient(said)
            case "code" if phrases.SPOKEN_DIGIT.search(said):
                self._question = ""
                return self._call("submit_pin", pin=utterance.strip())
            case "landmark":
                self._landmark = phrases.place_said(utterance)
                return self._ask("directions")
            case "directions":
                self._question = ""
                way = phrases.place_said(utterance)
                return self._call("prepare_address_change", landmark=self._landmark, directions=way)
            case _:
                return None

    def _about_the_recipient(self, said: str) -> Reply | None:
        if phrases.NO.search(said):
            return self._part("I am sorry to have disturbed you. Goodbye.")
        if not phrases.YES.search(said):
            return self._ask("recipient")
        self._question = ""
        if "confirm_recipient" in self._tools:
            return self._call("confirm_recipient", with_id=False)
        return self._call("track_shipment")

    def _about_the_proposal(self, said: str) -> Reply | None:
        """Confirm on a plain yes to just what was proposed; whatever is less than that changes nothing."""
        day, window = phrases.day_wanted(said), phrases.WINDOW.search(said)
        if (day and day not in self._proposal) or (window and window[1] not in self._proposal):
            return self._move(said)
        if phrases.NO.search(said):
            self._change_id = ""
            return Reply(say="All right, I have changed nothing. Is there anything else?")
        if phrases.YES.search(said):
            return Reply(calls=(FunctionCall(self._confirm, {"change_id": self._change_id}),))
        return None

    def _parts(self, said: str) -> bool:
        """Tell whether a caller is done: who gives thanks and asks for more is not."""
        if not phrases.BYE.search(said):
            return self._helped and bool(re.fullmatch(r"(no|nope)\W*", said.strip()))
        more = phrases.THANKS.sub("", said)
        asks = phrases.MOVE.search(more) or phrases.WHERE.search(more) or phrases.day_wanted(more)
        return bool(phrases.FAREWELL.search(said)) or not asks

    def _otherwise(self, said: str) -> Reply:
        for wish, tool, args in phrases.OTHER_WISHES:
            if tool in self._tools and wish.search(said):
                return self._call(tool, with_id=tool != "opt_out", **args)
        if phrases.PERSON.search(said) and "request_callback" in self._tools:
            return self._call("request_callback", with_id=False)
        if "address" in said:
            self._wish = "confirm_address"
            return Reply(say="Please tell me the building, the street or the nearest landmark.")
        if phrases.WHERE.search(said):
            return self._call("track_shipment")
        if not any(character.isalnum() for character in said):
            return SILENCE
        if phrases.YES.search(said) and not phrases.NO.search(said):
            return Reply(say="How can I help you?")
        return Reply(say="I am sorry, I did not understand that. Could you say it again?")

    def _ask(self, question: str) -> Reply:
        self._question = question
        return Reply(say=_QUESTIONS[question])

    def _move(self, said: str) -> Reply:
        window = phrases.WINDOW.search(said)
        self._wish = "prepare_reschedule"
        if window:
            self._window = window[1]
        self._day = phrases.day_wanted(said) or (self._day if self._change_id else "")
        if not self._day:
            return self._call("offer_slots")
        return self._call("prepare_reschedule", day=self._day, window=self._window)

    def _compare(self, place: str) -> Reply:
        self._wish = "track_shipment"
        return self._call("confirm_address", said=place.strip(" ."))

    def _leave_word(self) -> Reply:
        """Say to a machine who rang, and nothing of a parcel."""
        if _REPORT in self._tools:  # which knows what to say
            return self._call(_REPORT, with_id=False, who="voicemail")
        return self._part(
            self._keep_word(f"This was the assistant of {self._courier}. We will call again. Goodbye.")
        )

    def _keep_word(self, word: str) -> str:
        self._word, self._cut_off = word, False
        return word

    def _go_on_with_recording(self) -> Reply:
        """Say once more what a recording talked over, and nothing to one that only talks on."""
        cut_off, self._cut_off = self._cut_off, False
        return self._part(self._word) if cut_off else SILENCE

    def _part(self, farewell: str = "Thank you for calling. Goodbye.") -> Reply:
        return Reply(say=farewell, calls=(FunctionCall("end_call", {}),) if "end_call" in self._tools else ())

    def _call(self, tool: str, *, with_id: bool = True, **args: str) -> Reply:
        if tool not in self._tools:
            return Reply(say="I am sorry, I cannot do that on this line.")
        if with_id and self._tracking_id:
            args["tracking_id"] = self._tracking_id
        return self._make(FunctionCall(tool, {name: value for name, value in args.items() if value}))

    def _make(self, call: FunctionCall) -> Reply:
        if call.name != "submit_pin":
            self._called = call
        return Reply(calls=(call,))


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
