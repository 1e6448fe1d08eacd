"""A driver's tools open for the number of a driver on shift and his PIN, and for his own round only."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from shipments.courtesy import ContactPreference
from shipments.messages import MessageKind, OutgoingMessage
from shipments.models import Shipment, TrackingEvent
from shipments.riders import Driver, RoundReport
from shipments.statuses import Source
from tests.shipments.builders import AMINA, BRIAN, a_parcel
from tests.voice.wheel import (
    CODE,
    DRIVERS_TOOLS,
    OTHER,
    PIN,
    REPORTS,
    RIDER,
    a_call,
    a_call_at_wheel,
    a_driver,
    a_stop,
    code_of,
    confirm,
    is_untouched,
    needed,
    run,
)
from voice import tools, trust
from voice.levels import Level, Proof
from voice.models import Call, OutboundCall
from voice.statuses import Purpose

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_haste(settings):
    settings.TOOL_CALLS_A_MINUTE = 1_000
    settings.DIAL_HOURS = "00:00-24:00"
    settings.DIAL_SUNDAY_FROM = "00:00"


# Who is a driver


def test_the_number_and_the_pin_make_a_driver_and_stand_on_the_call():
    driver = a_driver()
    call = a_call()

    before = run(call, "next_stop")
    shown = run(call, "submit_pin", pin=PIN)

    call.refresh_from_db()
    assert (before["status"], code_of(before)) == ("refused", "needs_code")
    assert shown["status"] == "ok"
    assert (call.level, call.driver) == (Level.DRIVER, driver)


@pytest.mark.parametrize("name", DRIVERS_TOOLS)
@pytest.mark.parametrize(
    ("number", "proof", "on_shift", "code"),
    [
        (AMINA, Proof.LOOKUP, True, "needs_driver"),
        ("", Proof.NOBODY, True, "needs_driver"),
        (RIDER, Proof.NOBODY, True, "needs_driver"),
        (RIDER, Proof.LOOKUP, False, "needs_driver"),
        (RIDER, Proof.LOOKUP, True, "needs_code"),
    ],
)
def test_for_nobody_else_a_drivers_tool_does_anything(name, number, proof, on_shift, code):
    driver = a_driver(on_shift=on_shift)
    a_stop(driver)
    a_call_of_his_own = a_call()
    if on_shift:  # what was shown in another call counts in that one
        run(a_call_of_his_own, "submit_pin", pin=PIN)

    answer = run(a_call(number, proof), name, **needed(name))

    assert (answer["status"], code_of(answer)) == ("refused", code)
    assert "Sunbird" not in str(answer)
    assert Shipment.objects.get().version == 1
    assert not TrackingEvent.objects.filter(source=Source.RIDER).exists()
    assert not OutgoingMessage.objects.exists()
    assert not OutboundCall.objects.exists()


@pytest.mark.parametrize("change", [{"on_shift": False}, {"phone": OTHER}])
@pytest.mark.parametrize(("name", "args"), REPORTS)
def test_what_was_read_back_before_the_shift_ended_is_not_confirmed_after(name, args, change):
    a_stop(a_driver())
    call = a_call_at_wheel()
    proposed = run(call, name, **args)

    Driver.objects.update(**change)

    assert code_of(confirm(call, proposed)) == "needs_driver"
    assert is_untouched()


@pytest.mark.parametrize("change", [{"on_shift": False}, {"phone": OTHER}])
@pytest.mark.parametrize(
    "name", ["confirm_report", "report_attempt", "running_late", "stop_directions", "call_recipient"]
)
def test_a_driver_taken_off_the_shift_while_his_tool_begins_writes_nothing(name, change):
    a_stop(a_driver())
    call = a_call_at_wheel()
    proposed = run(call, "report_attempt", stop="1", reason="not home")
    standing = RoundReport.objects.get().state
    caller = trust.caller_of(call.pk)  # as he was when it began
    args = needed(name)
    if name == "confirm_report":
        args["change_id"] = str(proposed["data"]["change_id"])  # type: ignore[index]

    Driver.objects.update(**change)
    answer = tools.run(name, args, caller, tools.business_key(name, args))

    assert (answer["status"], code_of(answer)) == ("refused", "needs_driver")
    assert RoundReport.objects.get().state == standing
    assert is_untouched()
    assert not OutgoingMessage.objects.exists()
    assert not OutboundCall.objects.exists()


@pytest.mark.parametrize("change", [{"on_shift": False}, {"phone": OTHER}])
def test_what_a_pin_opened_closes_with_the_shift_and_with_the_number(change):
    a_stop(a_driver())
    call = a_call_at_wheel()

    Driver.objects.update(**change)

    assert code_of(run(call, "stop_directions")) == "needs_driver"


def test_wrong_pins_are_counted_as_delivery_codes_are(settings):
    a_driver()
    call = a_call()

    answers = [run(call, "submit_pin", pin=f"000{n}") for n in range(settings.TRIES_A_CALL)]
    spent = run(call, "submit_pin", pin=PIN)

    assert {code_of(answer) for answer in answers} == {"not_right"}
    assert code_of(spent) == "limit"
    assert Call.objects.get().driver is None
    assert Driver.objects.get().pin_failures == settings.TRIES_A_CALL


def test_a_shift_pin_opens_no_parcel_and_a_delivery_code_no_round():
    a_stop(a_driver())
    own = a_parcel(RIDER, tracking_id="KM-4279")
    own.set_pin("2580")
    own.save()
    call = a_call()

    wrong = run(call, "submit_pin", pin="2580"), run(call, "submit_pin", pin=PIN, tracking_id="KM4279")
    right = run(call, "submit_pin", pin="2580", tracking_id="KM4279")

    assert {code_of(answer) for answer in wrong} == {"not_right"}
    assert right["status"] == "ok"
    assert code_of(run(call, "next_stop")) == "needs_code"


def test_a_driver_is_trusted_with_no_parcel_for_being_one():
    a_stop(a_driver(), tracking_id="KM-4279")
    call = a_call_at_wheel()

    answers = [run(call, name, tracking_id="KM4279") for name in ("hold_for_pickup", "offer_slots")]

    assert {answer["status"] for answer in answers} == {"not_found"}


def test_a_test_call_drives_the_round_of_the_demonstration_only():
    driver = a_driver()
    a_stop(driver, 1)
    a_stop(driver, 2, is_demo=True)
    tester = User.objects.create_user("dana", is_staff=True)
    call = a_call(proof=Proof.STAFF, tester=tester)
    run(call, "submit_pin", pin=PIN)

    told = run(call, "next_stop")

    assert told["data"] == {"stop": 2, "stops_left": 1}
    assert code_of(run(call, "stop_directions", stop="1")) == "not_on_round"


# What he does


def test_a_driver_who_cannot_find_the_gate_hears_the_way_and_gets_the_code_by_message():
    driver = a_driver()
    a_stop(driver)
    call = a_call_at_wheel()

    told = run(call, "stop_directions")

    message = OutgoingMessage.objects.get()
    assert told["status"] == "ok"
    assert "opposite the Sunbird petrol station" in str(told["message"])
    assert "ring twice" in str(told["message"])
    assert not any(secret in str(told) for secret in (CODE, AMINA, RIDER))
    assert (message.kind, message.number) == (MessageKind.ACCESS, RIDER)


def test_an_attempt_is_noted_on_the_drivers_yes_and_the_recipient_is_to_be_called(
    django_capture_on_commit_callbacks,
):
    a_stop(a_driver())
    call = a_call_at_wheel()

    with django_capture_on_commit_callbacks(execute=True):
        proposed = [run(call, "report_attempt", stop="one", reason="not home") for _ in range(2)]
        untouched = is_untouched()
        answers = [confirm(call, proposed[0]) for _ in range(2)]

    assert proposed[0] == proposed[1]
    assert proposed[0]["message"] == (
        "I will note that stop 1 was not handed over: recipient not at home. Is that right?"
    )
    assert untouched
    assert answers[0] == answers[1]
    assert answers[0]["message"] == (
        "I have noted that stop 1 was not handed over: recipient not at home. "
        "All your stops of today are done."
    )
    assert Shipment.objects.get().attempts == 1
    assert OutboundCall.objects.get().purpose == Purpose.REATTEMPT


def test_a_late_driver_moves_on_his_yes_the_times_and_the_calls_that_tell_them(
    django_capture_on_commit_callbacks,
):
    driver = a_driver()
    parcels = [a_stop(driver, position).shipment for position in (1, 2)]
    due = [parcel.eta_at for parcel in parcels if parcel.eta_at is not None]
    call = a_call_at_wheel()

    with django_capture_on_commit_callbacks(execute=True):
        proposed = [run(call, "running_late", minutes="20 minutes") for _ in range(2)]
        untouched = is_untouched()
        answers = [confirm(call, proposed[0]) for _ in range(2)]

    assert proposed[0] == proposed[1]
    assert proposed[0]["message"] == "I will move the times of 2 stops by 20 minutes. Is that right?"
    assert untouched
    assert answers[0] == answers[1]
    for parcel, was in zip(parcels, due, strict=True):
        parcel.refresh_from_db()
        planned = OutboundCall.objects.get(shipment=parcel)
        assert parcel.eta_at == was + timedelta(minutes=20)
        assert (planned.purpose, planned.eta_at) == (Purpose.ETA, parcel.eta_at)


def test_we_ring_the_recipient_for_the_driver_who_does_not_hear_the_number():
    a_stop(a_driver(), phone=BRIAN)
    call = a_call_at_wheel()

    answers = [run(call, "call_recipient", stop="1") for _ in range(2)]

    planned = OutboundCall.objects.get()
    assert answers[0] == answers[1]
    assert answers[0]["message"] == "We ring the recipient of stop 1 now, and say that you are there."
    assert BRIAN not in str(answers)
    assert (planned.purpose, planned.number, planned.asked_for) == (Purpose.DRIVER_REQUEST, BRIAN, False)
    assert TrackingEvent.objects.filter(source=Source.RIDER, call_public_id=call.public_id).count() == 1


@pytest.mark.parametrize(
    ("name", "others"), [("report_attempt", {"reason": "not home"}), ("call_recipient", {})]
)
def test_what_is_done_at_a_stop_names_it_since_the_next_one_is_soon_another(name, others):
    a_stop(a_driver())

    answer = run(a_call_at_wheel(), name, **others)

    assert answer["message"] == "Which stop do you mean? Please tell me its number."
    assert not OutboundCall.objects.exists()


def test_who_does_not_want_to_be_called_is_not_called_for_a_driver():
    a_stop(a_driver())
    ContactPreference.objects.create(number=AMINA, opted_out_at=timezone.now())

    answer = run(a_call_at_wheel(), "call_recipient", stop="1")

    assert (answer["status"], code_of(answer)) == ("refused", "not_called")
    assert not OutboundCall.objects.exists()


@pytest.mark.parametrize("name", [name for name in DRIVERS_TOOLS if name != "confirm_report"])
def test_of_another_drivers_round_a_driver_learns_nothing(name):
    a_driver()
    a_stop(a_driver(OTHER))
    call = a_call_at_wheel()

    answer = run(call, name, **needed(name))

    assert (answer["status"], code_of(answer)) == ("refused", "no_round")
    assert Shipment.objects.get().version == 1
