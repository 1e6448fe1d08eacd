"""Read from a turn, as Whisper writes it, what a caller wants; pure."""

import re
from collections.abc import Mapping

YES = re.compile(r"\b(yes|yeah|yep|sure|okay|ok|correct|right|please do|go ahead|that works)\b")
NO = re.compile(r"\b(no(?! (?:problem|worries))|nope|not|cannot|\w+n't|leave it|wait|wrong)\b")
BYE = re.compile(r"\b(bye|goodbye|thanks?|that's all|that is all|nothing else|no thank)")
FAREWELL = re.compile(r"\b(good ?bye|bye)\b")
THANKS = re.compile(r"\b(?:no,? )?thank(?:s| you).*?(?=\band\b|\bbut\b|[.,;!?]|$)")
PERSON = re.compile(r"\b(person|human|agent|somebody|someone|colleague|call me back|manager)\b")
MOVE = re.compile(
    r"\b(move|moving|reschedul\w+|postpon\w+|another (day|time)|other day|different day"
    r"|change the (day|date|time)|(deliver|bring) it (on|later|tomorrow|next|the day after)"
    r"|(deliver|bring) it (mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(not|\w+n't) be (at )?home|not at home|be away)\b"
)
ADDRESS = re.compile(r"\b(?:address|place|building)\b.{0,12}\b(?:is|at)\b\W+(.{3,})", re.DOTALL)
WHERE = re.compile(r"\b(where|track\w*|parcel|package|delivery|when|status|arriv\w+|coming)\b")
DAY = re.compile(
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
WINDOW = re.compile(rf"\b({_CLOCK} ?(?:to|until|till|-) ?{_CLOCK}|morning|afternoon|evening|lunch ?time)")
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

ELSEWHERE = re.compile(
    r"\b(?:change|new|another|different|other|wrong)\b.{0,24}\b(?:address|place|office|building)\b"
    r"|\b(?:office|offices|house|shop|we|i) (?:has|have|'ve|'s)? ?moved\b"
)
VOICEMAIL = re.compile(
    r"\b(?:voice ?mail|mail ?box|leave (?:a|your) message|(?:after|at) the (?:tone|beep)|not available)\b"
)
NEVER_MIND = re.compile(r"\b(never ?mind|leave it|forget it|do not bother|don't bother)\b")
SPOKEN_DIGIT = re.compile(r"\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b")
_LEAD_IN = re.compile(
    r"^(?:(?:yes|well|so|okay|ok|it|that|the|nearest|landmark|place|office|you|they|we|there)\b[ ,]*"
    r"(?:is\b|are\b|'s\b|'re\b)?[ ,]*)+",
    re.IGNORECASE,
)
OTHER_WISHES: tuple[tuple[re.Pattern[str], str, Mapping[str, str]], ...] = (
    (re.compile(r"\b(?:stop|do not|don't|never) (?:call|calling|ring|ringing) me\b"), "opt_out", {}),
    (re.compile(r"\b(?:collect it|pick it up|(?:keep|hold) it at)\b"), "hold_for_pickup", {}),
    (re.compile(r"\b(?:damaged|broken)\b"), "report_problem", {"kind": "damaged"}),
    (re.compile(r"\bmissing\b"), "report_problem", {"kind": "missing"}),
    (re.compile(r"\bnever (?:came|arrived|got|reached)\b"), "report_problem", {"kind": "dispute"}),
)
"""What is asked for in a word or two, and the tool for it with what it is to be told."""


def day_wanted(said: str) -> str:
    """Return the day that a caller wants, the last of several; "" when only others were named."""
    days = DAY.findall(_UNWANTED.sub("", said))
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


def place_said(utterance: str) -> str:
    """Return a place as it was named, without the words that lead up to it."""
    return _LEAD_IN.sub("", utterance.strip()).strip(" .,") or utterance.strip(" .,")
