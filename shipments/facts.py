"""Compare what a caller says of a parcel with what is known of it; nothing known is ever given out."""

import re
from enum import StrEnum

from shipments.models import Shipment
from shipments.places import is_same_place
from shipments.text import plain

_WORDS = 6


class Fact(StrEnum):
    """What a caller may name to show that a parcel concerns him."""

    SURNAME = "surname"
    SENDER = "sender"
    PLACE = "place"


def is_right(shipment: Shipment, fact: Fact, said: str) -> bool:
    """Tell whether what was said of a parcel is so; a long list of guesses is none."""
    words = re.findall(r"\w+", plain(said))
    if not 0 < len(words) <= _WORDS:
        return False
    address = shipment.address
    match fact:
        case Fact.SURNAME:
            known = re.findall(r"\w+", plain(shipment.recipient_name))
            return len(known) > 1 and known[-1] in words
        case Fact.SENDER:
            known = re.findall(r"\w+", plain(shipment.shipper))
            return bool(known) and set(known) <= set(words)
        case Fact.PLACE:
            return is_same_place(
                said,
                (address.landmark, address.building, address.line1, address.line2),
                (address.neighbourhood, address.district, address.city, address.directions),
            )
