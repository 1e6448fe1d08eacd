"""A stranger reaches a parcel by what he knows of it: the surname and one thing more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from shipments.models import DeliveryChange, Shipment
from tests.shipments.builders import BRIAN, a_depot, a_parcel, a_slot
from voice import tools

STRANGER = tools.Caller("another-call", BRIAN)


@pytest.fixture(autouse=True)
def _no_haste(settings):
    settings.TOOL_CALLS_A_MINUTE = 1_000  # test_quotas.py is about it


def run(name, args, caller):
    return tools.run(name, args, caller, tools.business_key(name, args))


def named(caller, said_id, **facts):
    return [
        run("check_fact", {"tracking_id": said_id, "kind": kind, "value": value}, caller)
        for kind, value in facts.items()
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "facts",
    [
        {"surname": "Sample", "sender": "Example Books"},
        {"place": "Jacaranda Court", "surname": "it is Amina Sample"},
    ],
)
def test_two_facts_open_one_parcel_and_no_other(facts):
    depot, day = a_depot(), timezone.localdate() + timedelta(days=3)
    a_slot(depot, day)
    a_parcel(tracking_id="KM-4279", depot=depot)
    a_parcel(tracking_id="KM-5380", depot=depot)

    first, second = named(STRANGER, "KM4279", **facts)
    moved = run(
        "prepare_reschedule",
        {
            "tracking_id": second["data"]["alias"],
            "day": day.isoformat(),
        },
        STRANGER,
    )
    confirmed = run("confirm_reschedule", {"change_id": moved["data"]["change_id"]}, STRANGER)
    other = run(
        "prepare_reschedule",
        {"tracking_id": "KM5380", "day": day.isoformat()},
        STRANGER,
    )

    assert (first["data"], second["data"]) == ({"code": "one_more"}, {"alias": "P1"})
    assert confirmed["status"] == "ok"
    assert DeliveryChange.objects.get().verification_level == "L1"
    assert other["status"] == "not_found"
    assert Shipment.objects.get(tracking_id="KM-5380").version == 1


@pytest.mark.django_db
def test_without_the_surname_what_many_know_of_a_parcel_opens_nothing():
    a_parcel(tracking_id="KM-4279")

    told = named(STRANGER, "KM4279", sender="Example Books", place="Jacaranda Court")
    wrong = named(STRANGER, "KM4279", surname="Otherwise")
    right = named(STRANGER, "KM4279", surname="Sample")

    assert [one["data"] for one in told] == [{"code": "one_more"}] * 2
    assert "surname" in told[1]["message"]
    assert [one["data"] for one in wrong + right] == [{"code": "not_right"}, {"alias": "P1"}]


@pytest.mark.django_db
def test_who_is_asked_for_a_fact_is_not_told_which_there_are():
    a_parcel(tracking_id="KM-4279")

    refused = run("list_my_shipments", {}, STRANGER)
    asked = named(STRANGER, "KM4279", surname="Sample") + named(STRANGER, "KM4279", colour="red")

    assert not any(word in str([refused, *asked]) for word in ("sender", "sent", "place", "goes to"))


@pytest.mark.django_db
def test_a1_wrong_facts_of_a_parcel_are_answered_like_any_facts_of_none():
    a_parcel(tracking_id="KM-4279")

    told = [
        named(tools.Caller(f"call-{n}", BRIAN), said, surname=surname, sender=sender)
        for n, (said, surname, sender) in enumerate(
            [
                ("KM4279", "Sample", "Another Shop"),
                ("KM4279", "Otherwise", "Example Books"),
                ("KM9999", "Sample", "Example Books"),
            ]
        )
    ]

    assert told[0] == told[1] == told[2]
    assert told[0][1]["status"] == "refused"
    assert (
        run("offer_slots", {"tracking_id": "KM4279"}, tools.Caller("call-0", BRIAN))["status"] == "not_found"
    )


@pytest.mark.django_db
def test_a11_after_three_wrong_pairs_the_right_one_opens_nothing():
    a_parcel(tracking_id="KM-4279")

    for n in range(3):
        named(STRANGER, "KM4279", surname=f"Name{n}", sender=f"Shop{n}")
    (*_, last) = named(STRANGER, "KM4279", surname="Sample", sender="Example Books")

    assert last["data"] == {"code": "limit"}
