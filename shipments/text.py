"""Clean text before it is compared, stored or told to a model."""

import re
import unicodedata

SAID_LIMIT = 200
"""Characters of a spoken sentence that are looked at."""

TOLD_LIMIT = 120
"""Characters of a stored text that are told to a model."""

_MARKUP = re.compile(r"<[^<>]{0,200}>|[<>{}\[\]`|\\^~*_#]")
_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_VISIBLE_NOTHINGS = "\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5"


def words(text: str) -> list[str]:
    """Return the words of a table written as one line."""
    return text.split()


def plain(said: str) -> str:
    """Return the first 200 characters in small letters without accents, for comparing."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", said[:SAID_LIMIT])).casefold()
    return "".join(c for c in folded if not unicodedata.combining(c)).replace("\u2019", "'")


def told(text: str) -> str:
    """Return stored free text as a model may be told it: one line of at most 120 plain characters.

    Compatibility forms are folded first, so that a full-width bracket is dropped like any other; control,
    bidi and zero-width characters and markup go. Cleaning twice changes nothing.
    """
    # Cut early: a recipient's "name" of a megabyte is not worth normalising.
    cleaned = text[: TOLD_LIMIT * 8]
    for _ in range(4):
        before = cleaned
        cleaned = unicodedata.normalize("NFKC", cleaned)
        cleaned = "".join(" " if c in "\r\n\t\u2028\u2029" else c for c in cleaned)
        cleaned = "".join(
            c for c in cleaned if unicodedata.category(c) not in _DROPPED and c not in _VISIBLE_NOTHINGS
        )
        cleaned = _MARKUP.sub(" ", cleaned)
        cleaned = " ".join(cleaned.split())[:TOLD_LIMIT].rstrip()
        if cleaned == before:
            break
    return cleaned


DIGITS: dict[str, str] = {
    **dict(zip(words("zero one two three four five six seven eight nine"), "0123456789", strict=True)),
    **dict(zip(words("sifuri moja mbili tatu nne tano sita saba nane tisa"), "0123456789", strict=True)),
    **dict(zip(words("zero un deux trois quatre cinq six sept huit neuf"), "0123456789", strict=True)),
    "nil": "0",
    "nought": "0",
    "naught": "0",
    "niner": "9",
    "fife": "5",
    "une": "1",
}
"""The ten digits as words."""
