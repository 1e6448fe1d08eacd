"""What a model may have done for a caller, and what it may not, whatever it sends."""

import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from shipments.courtesy import ContactPreference
from shipments.depots import DeliverySlot
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.statuses import Source, Status
from shipments.tracking import check_character
from tests.shipments.builders import AMINA, BRIAN, CALL, a_depot, a_parcel, a_slot
from voice import handles, tools
from voice.levels import Level
from voice.models import Call
from voice.shared import Tally

CALLER = tools.Caller(CALL, AMINA)
STRANGER = tools.Caller("another-call", BRIAN)
NOBODY = tools.Caller("a-third-call", "", claimed=AMINA)
MINTED = "7K3MQ9TX" + check_character("7K3MQ9TX")


@pytest.fixture(autouse=True)
def _no_haste(settings):
    settings.TOOL_CALLS_A_MINUTE = 1_000  # test_quotas.py is about it


def run(name, args=None, caller=CALLER):
    return tools.run(name, args, caller, tools.business_key(name, args))


def a_free_slot(depot):
    return a_slot(depot, timezone.localdate() + timedelta(days=3))


def in_three_days() -> str:
    return (timezone.localdate() + timedelta(days=3)).isoformat()


# Declarations


def test_t4_no_tool_has_an_argument_for_who_is_calling():
    named = {parameter.name for tool in tools.TOOLS.values() for parameter in tool.parameters}

    assert not named & {"number", "caller", "callerFrom", "level", "verified", "call_id"}


def test_declarations_have_the_upper_case_types_of_the_wire():
    declared: dict[str, Any] = {str(tool["name"]): tool for tool in tools.declarations()}

    assert list(declared) == list(tools.TOOLS)
    assert declared["prepare_reschedule"]["parameters"]["type"] == "OBJECT"
    assert declared["prepare_reschedule"]["parameters"]["required"] == ["day"]
    for tool in declared.values():
        assert all(p["type"] == "STRING" for p in tool["parameters"]["properties"].values())
    json.dumps(list(declared.values()))


# Doing


@pytest.mark.django_db
def test_a_caller_hears_of_his_parcel():
    a_parcel(tracking_id="KM-4279")

    answer = run("track_shipment", {"tracking_id": "K M four two seven nine"})

    assert (answer["status"], answer["retryable"]) == ("ok", False)
    assert answer["message"].startswith("Your parcel ending 4 2 7 9 is on its way")
    assert answer["data"]["state"] == "in_transit"


@pytest.mark.django_db
def test_a_stranger_hears_one_of_three_states():
    a_parcel(tracking_id=MINTED, minted=True, status=Status.OUT_FOR_DELIVERY)

    answer = run("track_shipment", {"tracking_id": MINTED}, STRANGER)

    assert answer == {
        "status": "ok",
        "retryable": False,
        "message": "That parcel is on its way today.",
        "data": {"state": "on_its_way_today"},
    }


@pytest.mark.django_db
def test_a_caller_moves_his_parcel_in_two_steps():
    depot = a_depot()
    a_free_slot(depot)
    parcel = a_parcel(depot=depot)

    offered = run("offer_slots")
    proposed = run("prepare_reschedule", {"day": in_three_days(), "window": "morning"})
    confirmed = run("confirm_reschedule", {"change_id": proposed["data"]["change_id"]})

    parcel.refresh_from_db()
    assert offered["data"]["slots"][0]["day"] == in_three_days()
    assert proposed["message"].endswith("Is that right?")
    assert proposed["message"] == proposed["data"]["read_back"]
    assert confirmed["message"].startswith("Done.")
    assert parcel.version == 2


@pytest.mark.django_db
def test_a_stranger_moves_nothing_and_learns_nothing():
    depot = a_depot()
    a_free_slot(depot)
    a_parcel(tracking_id="KM4279", depot=depot)
    proposed = run("prepare_reschedule", {"day": in_three_days()})

    foreign = run("prepare_reschedule", {"day": in_three_days(), "tracking_id": "KM4279"}, STRANGER)
    unknown = run("prepare_reschedule", {"day": in_three_days(), "tracking_id": "KM9999"}, STRANGER)
    stolen = run("confirm_reschedule", {"change_id": proposed["data"]["change_id"]}, STRANGER)

    assert foreign == unknown
    assert foreign["status"] == "not_found"
    assert stolen["status"] == "refused"
    assert Shipment.objects.get().version == 1


@pytest.mark.django_db
def test_t7_an_address_is_matched_and_never_told():
    a_parcel()

    right = run("confirm_address", {"said": "Jacaranda Court"})
    wrong = run("confirm_address", {"said": "the airport"})

    assert (right["status"], right["data"]) == ("ok", {"match": True, "area": "Kilimani"})
    assert (wrong["status"], wrong["data"]) == ("refused", {"match": False, "area": "Kilimani"})


@pytest.mark.django_db
def test_a_refusal_names_what_is_possible_instead():
    depot = a_depot()
    a_free_slot(depot)
    a_parcel(depot=depot)

    answer = run("prepare_reschedule", {"day": "today"})

    assert (answer["status"], answer["retryable"]) == ("refused", True)
    assert answer["data"]["code"] == "too_soon"
    assert answer["data"]["offers"][0] in answer["message"]


@pytest.mark.django_db
def test_t6_what_is_missing_is_asked_for():
    assert run("prepare_reschedule", {})["message"] == "Which day would you like?"
    assert run("confirm_reschedule", {"change_id": None})["status"] == "refused"
    assert run("confirm_address", {"said": " \x00 "})["status"] == "refused"


# Levels and aliases


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", [name for name, tool in tools.TOOLS.items() if Level.L1 <= tool.level <= Level.L2]
)
def test_below_its_level_a_tool_is_refused_with_the_way_to_it(name):
    a_parcel(tracking_id=MINTED, minted=True)
    needed = {p.name: "x" for p in tools.TOOLS[name].parameters if p.required}

    answers = [run(name, needed, NOBODY), run(name, needed | _with_id(name, MINTED), NOBODY)]

    for answer in answers:
        assert (answer["status"], answer["data"]) == ("refused", {"code": "needs_number"})
        assert "number" in answer["message"]


def _with_id(name, said):
    return {"tracking_id": said} if any(p.name == "tracking_id" for p in tools.TOOLS[name].parameters) else {}


@pytest.mark.django_db
def test_an_unproved_number_hears_no_more_than_a_stranger():
    a_parcel(tracking_id=MINTED, minted=True)

    told = run("track_shipment", {"tracking_id": MINTED}, NOBODY)
    without = run("track_shipment", {}, NOBODY)

    assert told["data"] == {"state": "with_our_team"}
    assert without["status"] == "not_found"
    assert "ending" not in without["message"]


@pytest.mark.django_db
def test_an_alias_stands_for_a_parcel_in_its_own_call_only():
    depot = a_depot()
    a_free_slot(depot)
    a_parcel(tracking_id="KM-4279", depot=depot)
    a_parcel(tracking_id="KM-5380", depot=depot)

    alias = run("track_shipment", {"tracking_id": "KM5380"})["data"]["alias"]
    here = run("prepare_reschedule", {"tracking_id": alias, "day": in_three_days()})
    elsewhere = run(
        "prepare_reschedule", {"tracking_id": alias, "day": in_three_days()}, tools.Caller("call-2", AMINA)
    )
    foreign = run("prepare_reschedule", {"tracking_id": alias, "day": in_three_days()}, STRANGER)

    assert alias == "P1"
    assert "5 3 8 0" in here["message"]
    assert elsewhere["status"] == foreign["status"] == "not_found"


@pytest.mark.django_db
def test_two_parcels_that_end_alike_are_told_apart():
    a_parcel(tracking_id="KM-4279")
    a_parcel(tracking_id="KE-4279")

    asked = run("track_shipment")
    listed = run("list_my_shipments")
    chosen = run("track_shipment", {"tracking_id": "E 4 2 7 9"})

    assert asked["data"]["endings"] == ["E 4 2 7 9", "M 4 2 7 9"]
    assert "one ending E 4 2 7 9 and one ending M 4 2 7 9" in asked["message"]
    assert [one["ending"] for one in listed["data"]["parcels"]] == ["E 4 2 7 9", "M 4 2 7 9"]
    assert chosen["status"] == "ok"


@pytest.mark.django_db
def test_a13_of_forty_parcels_of_one_number_three_are_listed_by_alias():
    for _ in range(40):
        a_parcel()

    listed = run("list_my_shipments")["data"]["parcels"]

    assert [parcel["alias"] for parcel in listed] == ["P1", "P2", "P3"]
    assert all(set(parcel) == {"alias", "ending", "state"} for parcel in listed)
    assert run("track_shipment")["status"] == "not_found"


# Codes


@pytest.mark.django_db
@pytest.mark.parametrize(
    "said", ["0417", "zero four one seven", "0 4-1 7", "sifuri nne moja saba", "oh four seventeen"]
)
def test_a_delivery_code_lifts_a_call_to_l2_for_its_parcel(said):
    parcel, other = a_parcel(), a_parcel()
    parcel.set_pin("0417")
    parcel.save()
    Call.objects.create(
        public_id=CALL, customer_number=AMINA, proof="lookup", level=1, created_at=timezone.now()
    )

    answer = run("submit_pin", {"tracking_id": parcel.tracking_id, "pin": said})

    assert (answer["status"], answer["data"]) == ("ok", {"alias": "P1"})
    assert handles.level_for(CALLER, parcel) is Level.L2
    assert handles.level_for(CALLER, other) is Level.L1
    assert Call.objects.get().level == Level.L2


@pytest.mark.django_db
def test_a11_codes_are_tried_three_times_and_then_only_a_person_helps():
    parcel = a_parcel()
    parcel.set_pin("0417")
    parcel.save()

    answers = [run("submit_pin", {"pin": f"111{n}"}) for n in range(3)] + [run("submit_pin", {"pin": "0417"})]

    assert [answer["data"]["code"] for answer in answers] == ["not_right"] * 3 + ["limit"]
    assert handles.level_for(CALLER, parcel) is Level.L1


@pytest.mark.django_db
@pytest.mark.parametrize("said", ["", "123", "1234567", "my birthday"])
def test_what_is_no_code_is_asked_for_again_and_is_no_try(said):
    a_parcel()

    answer = run("submit_pin", {"pin": said})

    assert answer["data"] == {"code": "bad_arguments"}
    assert not Tally.objects.filter(key__startswith="tries").exists()


@pytest.mark.django_db
def test_a_strangers_code_is_answered_as_for_a_parcel_that_there_is_not():
    parcel = a_parcel(tracking_id="KM4279")
    parcel.set_pin("0417")
    parcel.save()

    foreign = run("submit_pin", {"tracking_id": "KM4279", "pin": "0417"}, STRANGER)
    unknown = run("submit_pin", {"tracking_id": "KM9999", "pin": "0417"}, STRANGER)

    assert foreign == unknown
    assert foreign["status"] == "not_found"


def test_the_key_of_a_code_does_not_give_it_away():
    keys = [tools.business_key("submit_pin", {"pin": pin}) for pin in ("0417", "0417", "0418")]
    plain = hashlib.sha256(json.dumps(["submit_pin", {"pin": "0417"}]).encode()).hexdigest()[:32]

    assert keys[0] == keys[1] != keys[2]
    assert plain not in keys[0]


# Wishes for the call's own number


@pytest.mark.django_db
def test_anybody_may_have_his_own_number_left_alone_and_spoken_to_in_his_language():
    told = [run("opt_out", {}, NOBODY), run("set_language", {"language": "sw"}, NOBODY)]
    withheld = run("opt_out", {}, tools.Caller("a-call", ""))

    kept = ContactPreference.objects.get()
    assert [answer["status"] for answer in told] == ["ok", "ok"]
    assert (kept.number, kept.language, kept.opted_out_at is not None) == (AMINA, "sw", True)
    assert withheld["data"]["code"] == "number_withheld"


# A hostile model

HOSTILE = [
    {"callerFrom": AMINA},
    {"tracking_id": "KM4279", "verified": "true"},
    {"tracking_id": "KM4279", "level": 2},
    {"tracking_id": "KM4279", "number": AMINA},
    {"tracking_id": 4279},
    {"tracking_id": True},
    {"tracking_id": ["KM4279"]},
    {"tracking_id": {"$ne": ""}},
    {"tracking_id": float("nan")},
    {"tracking_id": "K" * 1_000_000},
    {"day": "x" * 61},
    {7: "KM4279"},
    ["KM4279"],
    "KM4279",
    7,
]


@pytest.mark.django_db
@pytest.mark.parametrize("name", list(tools.TOOLS))
@pytest.mark.parametrize("args", HOSTILE, ids=lambda args: repr(args)[:40])
def test_hostile_arguments_are_refused_and_change_nothing(name, args):
    depot = a_depot()
    a_free_slot(depot)
    a_parcel(tracking_id="KM4279", depot=depot)

    answer = run(name, args, STRANGER)

    assert answer["status"] == "refused"
    assert answer["message"].endswith((".", "?"))
    assert not DeliveryChange.objects.exists()
    assert not TrackingEvent.objects.filter(source=Source.VOICE_AGENT).exists()
    assert Shipment.objects.get().version == 1
    assert DeliverySlot.objects.get().booked == 0


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "drop_table", "__class__", "TRACK_SHIPMENT", "x" * 100_000, "\ud800"])
def test_a_tool_that_there_is_not_is_refused(name):
    assert run(name, {})["status"] == "refused"


WORDS = st.text(max_size=130) | st.sampled_from(
    ["KM4279", "31 February", "2026-03-29T02:30", "' OR 1=1 --", "\ud800", "\x00", "\u202eKM4279", "%", "_"]
)


@pytest.mark.django_db
@given(
    name=st.sampled_from(list(tools.TOOLS)),
    args=st.dictionaries(
        st.sampled_from(["tracking_id", "day", "window", "change_id", "said", "sub"]),
        WORDS | st.none() | st.integers() | st.floats(),
        max_size=4,
    ),
)
def test_whatever_the_model_sends_is_answered(name, args):
    answer = run(name, args, tools.Caller(secrets.token_hex(8), AMINA))

    assert set(answer) == {"status", "retryable", "message", "data"}
    assert answer["status"] in ("ok", "refused", "not_found")
    assert answer["message"]
    json.dumps(answer, allow_nan=False)


# Keys


@given(
    st.text(max_size=70),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
)
def test_any_call_has_a_short_key_and_always_the_same(name, args):
    key = tools.business_key(name, args)

    assert key == tools.business_key(name, args)
    assert len(key) <= 64
    assert key.isascii()


@pytest.mark.parametrize(
    ("name", "args", "drifted", "other"),
    [
        ("running_late", {"minutes": "10"}, {"minutes": "ten minutes"}, {"minutes": "20 minutes"}),
        ("report_attempt", {"stop": "3"}, {"stop": "stop 3"}, {"stop": "stop thirteen"}),
        ("offer_slots", {"day": "27 November"}, {"day": "the 27th of november"}, {"day": "28 November"}),
        ("offer_slots", {"day": "tomorrow"}, {"day": "Kesho"}, {"day": "in three days"}),
        ("offer_slots", {"day": "whenever it suits"}, {"day": "Whenever  it suits"}, {"day": "soon"}),
        ("prepare_reschedule", {"window": "2 pm to 5 pm"}, {"window": "14:00-17:00"}, {"window": "9 to 12"}),
        ("confirm_reschedule", {"change_id": "AB01-CD"}, {"change_id": "abolcd"}, {"change_id": "AB01CE"}),
    ],
)
def test_one_wish_has_one_key_in_other_words(name, args, drifted, other):
    key = tools.business_key(name, args)

    assert tools.business_key(name, drifted) == key
    assert tools.business_key(name, other) != key


def test_a_day_that_another_zone_may_read_otherwise_has_a_key_of_its_own():
    tomorrow = timezone.localdate() + timedelta(days=1)
    days = ("tomorrow", f"the {tomorrow.day}th", f"{tomorrow:%A}")

    keys = {tools.business_key("offer_slots", {"day": day}) for day in days}

    assert len(keys) == 3


def test_one_wish_has_one_key_however_it_is_spelled():
    key = tools.business_key("prepare_reschedule", {"tracking_id": "km-4279", "day": "Friday "})

    assert key == tools.business_key("prepare_reschedule", {"day": "friday", "tracking_id": "K M 4 2 7 9"})
    assert key != tools.business_key("prepare_reschedule", {"day": "monday", "tracking_id": "K M 4 2 7 9"})
    assert key != tools.business_key("offer_slots", {"day": "friday", "tracking_id": "K M 4 2 7 9"})
