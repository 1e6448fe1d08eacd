"""Read tracking ids as callers say them: spelled, grouped, glued or half heard."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice, product

from shipments.text import DIGITS, plain, words

ALIKE = {"O": "0", "I": "1", "L": "1"}
"""Letters that are read, written and said as digits: in a key of an id there are only the digits."""

_ALIKE = str.maketrans(ALIKE)
_READINGS_LIMIT = 16

_TEENS: dict[str, str] = dict(
    zip(
        words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
        map(str, range(10, 20)),
        strict=True,
    )
)
_TENS: dict[str, str] = dict(
    zip(words("twenty thirty forty fifty sixty seventy eighty ninety"), "23456789", strict=True)
)
_SPELLING: dict[str, str] = {
    word: word[0].upper()
    for word in words(
        "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike "
        "november oscar papa quebec romeo sierra tango uniform victor whiskey whisky xray yankee zulu"
    )
}
_LETTER_NAMES: dict[str, str] = {
    "ay": "A",
    "bee": "B",
    "cee": "C",
    "dee": "D",
    "eff": "F",
    "ef": "F",
    "gee": "G",
    "aitch": "H",
    "haitch": "H",
    "jay": "J",
    "kay": "K",
    "ke": "K",
    "ee": "E",
    "el": "L",
    "ell": "L",
    "em": "M",
    "en": "N",
    "pee": "P",
    "cue": "Q",
    "queue": "Q",
    "ar": "R",
    "ess": "S",
    "tee": "T",
    "vee": "V",
    "ex": "X",
    "wye": "Y",
    "zed": "Z",
    "zee": "Z",
}
_EITHER: dict[str, tuple[str, ...]] = {
    # Words that are heard for a digit or a letter but may be just words, the likelier first.
    "a": ("A", ""),
    "oh": ("0",),
    "eye": ("1",),
    "to": ("2", ""),
    "too": ("2",),
    "tu": ("2",),
    "for": ("4", ""),
    "fore": ("4",),
    "ate": ("8",),
    "won": ("1",),
    "see": ("C", ""),
    "sea": ("C",),
    "are": ("R", ""),
    "tea": ("T",),
    "you": ("U", ""),
    "why": ("Y",),
    "be": ("B", ""),
    "de": ("D", ""),
    "ka": ("K", ""),
    "us": ("US", ""),
    "is": ("", "IS"),
    "it": ("", "IT"),
    "my": ("", "MY"),
    "no": ("", "NO"),
    "me": ("", "ME"),
    "we": ("", "WE"),
    "at": ("", "AT"),
    "id": ("", "ID"),
    "in": ("", "IN"),
    "of": ("",),
}
_FILLER = frozenset(
    words(
        "the its it's that that's number tracking track parcel package shipment code order reference ref "
        "dash hyphen minus slash dot point space underscore please uh um er and hello hi ends ending "
        "with starts namba nambari ya ni mzigo kifurushi wangu yangu tafadhali na "
        "le la est mon numero colis suivi tiret s'il vous plait capital letter digit"
    )
)
_SET_PHRASES = ((re.compile(r"\bx\W?ray\b"), "xray"), (re.compile(r"\b(?:the|that|this) one\b"), " "))
"""What is one word of a spelling alphabet, and a "one" that is no digit."""

_AS_IN = re.compile(
    # "D as in delta", "D for dog", "D like Dar", "D kama Dodoma", "D comme Daniel"
    r"\b([a-z])\W+(?:as\W+in|for|like|kama|comme)\W+([a-z])[a-z]+\b",
    re.IGNORECASE,
)
_GROUPS = ("BCDEGPTVZ3", "MN", "A8HJK", "FSX", "1Y", "QU", "59")
"""Characters that a telephone makes alike."""


def folded(key: str) -> str:
    """Return an id that is in capitals with digits for the letters that are taken for them."""
    return key.translate(_ALIKE)


def said_ref(said: str) -> str:
    """Return the reference of a proposal as it is kept, however a model spells it."""
    return folded("".join(c for c in said.upper() if c.isascii() and c.isalnum()))


def readings(said: str) -> tuple[str, ...]:
    """Return what a spoken tracking id may be in capitals and digits, the likeliest first.

    The letters O, I and L come out as the digits that they are taken for. "K M four two seven nine",
    "km-4279" and "K as in kilo, M like Mombasa, 42 79" all read KM4279.
    """
    literal = re.sub(r"[^A-Z0-9]", "", plain(said).upper())
    spelled = [*_spelled(said), literal]
    return tuple(dict.fromkeys(folded(reading) for reading in spelled if 0 < len(reading) <= 32))


def names_an_id(said: str) -> bool:
    """Tell whether there is a digit in what was said: "my parcel" has none, and few ids are without."""
    return any(character.isdecimal() for reading in _spelled(said) for character in reading)


def _spelled(said: str) -> list[str]:
    text = plain(said)
    for phrase, meant in _SET_PHRASES:
        text = phrase.sub(meant, text)
    text = _AS_IN.sub(lambda m: f" {m[1]} " if m[1] == m[2] else m[0], text)
    options = list(_options(re.findall(r"[a-z0-9']+", text)))
    return ["".join(choice) for choice in islice(product(*options), _READINGS_LIMIT)]


def _options(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield, word by word, what each may stand for."""
    repeat = 1
    tens = ""
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if word in ("double", "triple") and following not in ("u", "you"):
            repeat = 2 if word == "double" else 3
            continue
        if word == "double":
            yield ("W",)
            repeat = 0  # the "u" that follows belongs to it
            continue
        if repeat == 0:
            repeat = 1
            continue
        digit = DIGITS.get(word, "")
        if tens:
            yield (tens + digit,) if digit not in ("", "0") else (tens + "0",)
            tens = ""
            if digit not in ("", "0"):
                continue
        if word in _TENS:
            tens = _TENS[word]
            continue
        yield tuple(option * repeat for option in _meanings(word))
        repeat = 1
    if tens:
        yield (tens + "0",)


def _meanings(word: str) -> tuple[str, ...]:
    if word in _EITHER:
        return _EITHER[word]
    for table in (DIGITS, _TEENS, _SPELLING, _LETTER_NAMES):
        if word in table:
            return (table[word],)
    if word in _FILLER:
        return ("",)
    bare = word.replace("'", "").upper()
    if bare.isalpha() and len(bare) > 3:
        return (bare, "")
    return (bare,)


def ends_as(said: str, key: str) -> bool:
    """Tell whether what was said is the end of `key`, three characters or more.

    For choosing among the few parcels that a caller is known to expect, never for finding others; so is
    `sounds_like`.
    """
    return any(len(reading) >= 3 and key.endswith(reading) for reading in readings(said))


def sounds_like(said: str, key: str) -> bool:
    """Tell whether what was said may be `key` to an ear on a telephone: A for 8, M for N, B for D."""
    return any(len(reading) == len(key) >= 4 and all(map(_alike, reading, key)) for reading in readings(said))


def _alike(one: str, other: str) -> bool:
    return one == other or any(one in group and other in group for group in _GROUPS)
