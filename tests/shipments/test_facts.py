"""A fact is one answer: a name that is right, and nothing that is tried beside it."""

import pytest

from shipments.facts import Fact, is_right
from tests.shipments.builders import a_parcel


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "value", "right"),
    [
        ("surname", "Sample", True),
        ("surname", "it's Sample", True),
        ("surname", "Amina Wanjiku Sample", True),
        ("surname", "jina langu ni Sample", True),
        ("surname", "je m'appelle Sample", True),
        ("surname", "Mwangi Otieno Sample", False),
        ("surname", "Amina Otieno Sample", False),
        ("surname", "Amina Wanjiku", False),
        ("sender", "it came from Example Books", True),
        ("sender", "Example Books Ltd", True),
        ("sender", "Model Fashion Example Books", False),
        ("sender", "Example", False),
        ("place", "opposite the Sunbird station", True),
        ("place", "Kilimani", False),
    ],
)
def test_a11_one_name_is_an_answer_and_several_are_guesses(kind, value, right):
    parcel = a_parcel(recipient_name="Amina Wanjiku Sample")

    assert is_right(parcel, Fact(kind), value) is right
