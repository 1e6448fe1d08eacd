"""A model that guesses what opens a parcel, call after call, gets no more tries than the parcel has.

The oracle knows what is right and puts it where no guesser may come to: whatever opens was tried too often.
"""

from collections import Counter
from random import Random

import pytest
from django.conf import settings

from shipments.models import DeliveryChange
from tests.shipments.builders import AMINA, a_depot, a_parcel
from voice import tools
from voice.rights import CallParcel

pytestmark = pytest.mark.slow
SURNAMES = ["Mwangi", "Otieno", "Kamau", "Njoroge", "Chebet", "Mutua", "Hassan", "Abdi", "Barasa", "Koech"]
SENDERS = ["Model Fashion", "Sample Shoes", "Test Kitchen"]
PREFIXES = ["", "the tracking number is ", "applezzz ", "bananazz ", "my parcel lemonzz ", "number "]
IDS = ["KM-4279", "KX-5380", "RR12345678KE"]
CALLS = 30


def a_guess(random: Random, parcel: str, surnames: list[str]) -> tuple[str, dict[str, str]]:
    said = random.choice(PREFIXES) + random.choice([parcel, " ".join(parcel), parcel.lower()])
    kind = random.choice(["surname", "surname", "sender", "place"])
    match kind:
        case "surname":
            several = " ".join(random.sample(surnames, random.choice([1, 1, 3, 5])))
            return "check_fact", {"tracking_id": said, "kind": kind, "value": several}
        case "sender":
            value = random.choice([*SENDERS, "Example Books", "Model Fashion Example Books"])
            return "check_fact", {"tracking_id": said, "kind": kind, "value": value}
        case _:
            value = random.choice(["Jacaranda Court", "the airport"])
            return "check_fact", {"tracking_id": said, "kind": kind, "value": value}


def a_caller(random: Random, n: int) -> tools.Caller:
    forged = random.choice(["", AMINA, f"+2547000002{n:02}"])
    proved = random.choice(["", "", f"+2547000003{n:02}"])
    return tools.Caller(f"guess-{n:04}", proved, claimed=proved or forged)


def run(name: str, args: dict[str, str], caller: tools.Caller) -> dict[str, object]:
    return tools.run(name, args, caller, tools.business_key(name, args))


@pytest.mark.django_db
def test_a11_two_facts_are_not_found_by_guessing_however_many_call():
    random = Random(3)
    for tracking_id in IDS:
        a_parcel(tracking_id=tracking_id, recipient_name="Amina Zawadi Sample")

    refused: Counter[str] = Counter()
    for n in range(CALLS):
        caller = a_caller(random, n)
        for _ in range(8):
            parcel = random.choice(IDS)
            # The right surname is thought of when all tries of a day must be spent, and among others.
            pool = [*SURNAMES, "Sample"] if refused[parcel] >= settings.TRIES_A_PARCEL else SURNAMES
            name, args = a_guess(random, parcel, pool)
            told = run(name, args, caller)
            refused[parcel] += told["data"]["code"] == "not_right"  # type: ignore[index]

    assert not CallParcel.objects.exists()
    assert refused == dict.fromkeys(IDS, settings.TRIES_A_PARCEL)


@pytest.mark.django_db
def test_a11_a_code_is_not_found_by_guessing_from_the_right_number(settings):
    settings.TRIES_A_NUMBER = 1_000  # what holds is the parcel's own limit
    parcel = a_parcel(tracking_id="KM-4279", depot=a_depot())
    parcel.set_pin("0417")
    parcel.save()

    told = [
        run(name, args, tools.Caller(f"guess-{n:04}", AMINA))["data"]["code"]  # type: ignore[index]
        for n in range(30)
        for name, args in (
            ("submit_pin", {"pin": f"{1_000 + n}", "tracking_id": PREFIXES[n % 3] + "KM 4279"}),
            ("submit_pin", {"pin": "0417" if n > settings.TRIES_A_PARCEL else f"{2_000 + n}"}),
            ("hold_for_pickup", {}),
        )
    ]

    assert Counter(told)["not_right"] == settings.TRIES_A_PARCEL
    assert set(told) == {"not_right", "limit", "needs_code"}
    assert not CallParcel.objects.exclude(code_at=None).exists()
    assert not DeliveryChange.objects.exists()


@pytest.mark.django_db
def test_who_knows_a_parcel_opens_it_at_once():
    a_parcel(tracking_id="KM-4279", recipient_name="Amina Zawadi Sample")
    caller = tools.Caller("guess-0", "")

    run("check_fact", {"tracking_id": "KM 4279", "kind": "surname", "value": "Zawadi Sample"}, caller)
    run("check_fact", {"tracking_id": "KM 4279", "kind": "sender", "value": "Example Books"}, caller)

    assert CallParcel.objects.exclude(facts_at=None).count() == 1
