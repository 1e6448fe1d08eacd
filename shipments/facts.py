"""Compare what a caller says of a parcel with what is known of it; nothing known is ever given out."""

import re
from enum import StrEnum

from shipments.models import Shipment
from shipments.places import is_same_place
from shipments.text import plain, words

_WORDS = 6
_FILLER = frozenset(
    words(
        "a an the it its is i am s m my me this that on of for to in by at from under and yes please uh um "
        "er name names surname last family first full called mr mrs ms miss dr parcel package sender sent "
        "came shop store company seller ltd limited "
        "jina langu ni la na mimi naitwa bwana bibi bi ukoo familia mzigo umetoka kwa duka kutoka "
        "je j c l d m est suis appelle mon nom de du le les un une famille prenom monsieur madame "
        "mademoiselle colis vient chez boutique"
    )
)
"""What stands around a name when it is said."""


class Fact(StrEnum):
    """What a caller may name to show that a parcel concerns him."""

    SURNAME = "surname"
    SENDER = "sender"
    PLACE = "place"


def is_right(shipment: Shipment, fact: Fact, said: str) -> bool:
    """Tell whether what was said of a parcel is so; a long list of guesses is none."""
    spoken = _words(said)
    if not 0 < len(spoken) <= _WORDS:
        return False
    address = shipment.address
    match fact:
        case Fact.SURNAME:
            known = _words(shipment.recipient_name)
            return len(known) > 1 and known[-1] in spoken and _is_of(spoken, known)
        case Fact.SENDER:
            known = _words(shipment.shipper)
            return bool(known) and set(known) <= set(spoken) and _is_of(spoken, known)
        case Fact.PLACE:
            return is_same_place(
                said,
                (address.landmark, address.building, address.line1, address.line2),
                (address.neighbourhood, address.district, address.city, address.directions),
            )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", plain(text))


def _is_of(spoken: list[str], known: list[str]) -> bool:
    """Tell whether nothing but the known name was said: of two names, one at least is a guess."""
    return set(spoken) <= set(known) | _FILLER
