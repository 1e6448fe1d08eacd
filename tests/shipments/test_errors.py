"""Whoever is refused something hears what is possible instead."""

import re

import pytest

from shipments.errors import ChangeRefusedError, DayRefusedError, ProposalError, ShipmentError

FOR_STAFF = {"StaleFormError", "AlreadyDecidedError", "OwnWishError", "NoReasonError"}


def leaves(of: type[ShipmentError]) -> list[type[ShipmentError]]:
    below = of.__subclasses__()
    return [leaf for one in below for leaf in leaves(one)] if below else [of]


SPOKEN = [
    error
    for base in (ChangeRefusedError, DayRefusedError, ProposalError)
    for error in leaves(base)
    if error.__name__ not in FOR_STAFF
]


@pytest.mark.parametrize("error", SPOKEN)
def test_a_refusal_names_what_is_possible_with_and_without_offers(error):
    bare = str(error())
    offering = str(error(offers=("Friday 27 November, 9 am to 12 noon",)))

    assert re.search(r"\bcan (?!not\b)|\bPlease\b|\bwill be told\b", bare.partition(".")[2])
    assert offering.endswith("I can offer Friday 27 November, 9 am to 12 noon.")


def test_a_proposal_that_cannot_be_confirmed_speaks_of_no_day_since_it_may_be_of_a_place():
    assert not any("day" in error.sentence or "moved" in error.sentence for error in leaves(ProposalError))
