"""A driver's tools open for the number of a driver on shift and his PIN, and for his own round only."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from shipments.courtesy import ContactPreference
from shipments.messages import MessageKind, OutgoingMessage
from shipments.models import Shipment, TrackingEvent
from shipments.riders import Driver, RoundReport, Stop
from shipments.statuses import Source, Status
from tests.shipments.builders import AMINA, BRIAN, a_depot, a_parcel, an_address
from tests.voice.test_discretion import Talk, a_brief, runs
from voice import events as call_events
from voice import tools, trust
from voice.levels import Level, Proof
from voice.models import Call, OutboundCall
from voice.statuses import Purpose

pytestmark = pytest.mark.django_db

RIDER, OTHER = "+254700000090", "+254700000091"
PIN, CODE = "9081", "4711"
DRIVERS_TOOLS = [name for name, tool in tools.TOOLS.items() if tool.level is Level.DRIVER]
ARGS = {"stop": "1", "reason": "not_home", "minutes": "20", "change_id": "7K3MQ9TX"}
REPORTS = [("report_attempt", {"stop": "1", "reason": "not home"}), ("running_late", {"minutes": "20"})]


@pytest.fixture(autouse=True)
def _no_haste(settings):
    settings.TOOL_CALLS_A_MINUTE = 1_000
    settings.DIAL_HOURS = "00:00-24:00"
    settings.DIAL_SUNDAY_FROM = "00:00"


def a_driver(phone=RIDER, **fields) -> Driver:
    driver = Driver(name="Sample Rider", phone=phone, **{"on_shift": True} | fields)
    driver.set_shift_pin(PIN)
    driver.save()
    return driver


def a_stop(driver, position=1, **fields) -> Stop:
    parcel = a_parcel(
        **{
            "status": Status.OUT_FOR_DELIVERY,
            "eta_at": timezone.now() + timedelta(minutes=30 * position),
            "address": an_address(access_code=CODE, gate_notes="ring twice"),
        }
        | fields
    )
    today = timezone.now().astimezone(parcel.zone).date()
    return Stop.objects.create(driver=driver, shipment=parcel, date=today, position=position)


def a_call(number=RIDER, proof=Proof.LOOKUP, **fields) -> Call:
    return Call.objects.create(customer_number=number, proof=proof, created_at=timezone.now(), **fields)


def run(call, name, **args) -> dict[str, object]:
    return tools.run(name, args, trust.caller_of(call.pk), tools.business_key(name, args))


def a_call_at_wheel() -> Call:
    call = a_call()
    assert run(call, "submit_pin", pin="nine zero eight one")["status"] == "ok"
    return call


def confirm(call, proposed) -> dict[str, object]:
    return run(call, "confirm_report", change_id=proposed["data"]["change_id"])


def is_untouched() -> bool:
    """Tell whether nothing of any parcel was changed, and nothing written of a round."""
    changed = Shipment.objects.filter(version__gt=1).exists()
    return not (changed or TrackingEvent.objects.filter(source=Source.RIDER).exists())


def code_of(answer):
    return answer["data"]["code"]


def needed(name) -> dict[str, str]:
    return {p.name: ARGS[p.name] for p in tools.TOOLS[name].parameters if p.required}


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


class Drive(Talk):
    """A driver's call: what the session lets a model have done is done."""

    def __init__(self, call: Call) -> None:
        named = {
            step: frozenset(n for n, tool in tools.TOOLS.items() if tool.step == step)
            for step in ("prepare", "confirm")
        }
        brief = replace(a_brief(), proposing=named["prepare"], confirming=named["confirm"])
        super().__init__(replace(brief, business_key=tools.business_key))
        self.call = call

    def wants(self, name: str, **args: object) -> dict[str, object]:
        """Have the model call a tool; return what that came to, or nothing when it was held back."""
        commands = self.asks(name, args)
        if not runs(commands):
            return {}
        told = run(self.call, name, **args)
        self.answers(commands, str(told["status"]), message=told["message"], data=told["data"])
        return told

    def reads(self, proposed: dict[str, object], *, heard: bool = True) -> None:
        """Have the agent read a proposal, as far as it is to be heard."""
        self.agent(str(proposed["message"]))
        if heard:
            self.on(call_events.PlayedOut())

    def confirms(self, proposed: dict[str, object]) -> dict[str, object]:
        return self.wants("confirm_report", change_id=proposed["data"]["change_id"])  # type: ignore[index]


@pytest.mark.parametrize(("name", "args"), REPORTS)
def test_a3_a_report_is_written_once_the_driver_has_spoken_after_he_heard_it_to_its_end(name, args):
    a_stop(a_driver())
    drive = Drive(a_call_at_wheel())

    proposed = drive.wants(name, **args)
    drive.reads(proposed)
    unanswered = drive.confirms(proposed)
    drive.caller("yes")
    answered = drive.confirms(proposed)

    assert unanswered == {}
    assert answered["status"] == "ok"
    assert Shipment.objects.get().version == 2


@pytest.mark.parametrize(("name", "args"), REPORTS)
def test_a3_a_yes_before_a_report_was_heard_to_its_end_writes_nothing(name, args):
    a_stop(a_driver())
    drive = Drive(a_call_at_wheel())

    proposed = drive.wants(name, **args)
    at_once = drive.confirms(proposed)
    drive.reads(proposed, heard=False)
    drive.caller("yes")

    assert at_once == drive.confirms(proposed) == {}
    assert is_untouched()


def test_a3_a_report_of_which_the_stop_or_the_minutes_were_not_read_is_not_written():
    a_stop(a_driver())

    for (name, args), said in zip(REPORTS, ("Stop 2, nobody at home?", "A few minutes late?"), strict=True):
        drive = Drive(a_call_at_wheel())
        proposed = drive.wants(name, **args)
        drive.reads({"message": said})
        drive.caller("yes")
        assert drive.confirms(proposed) == {}

    assert is_untouched()


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Stop 1, I will note that it was not handed over. Right?", False),
        ("Stop 1 was not handed over: the recipient refused. Right?", False),
        ("Stop 1 was not handed over: the shop was closed. Right?", False),
        ("Stop 1 haikukabidhiwa: mpokeaji amekataa. Sawa?", False),
        ("L'arrêt 1 n'a pas été livré : accès refusé, c'est bien ça ?", False),
        ("Stop one, nobody home?", True),
        ("So at stop 1 the recipient wasn't at home, correct?", True),
        ("Kituo cha 1 hakikukabidhiwa: mpokeaji hakuwa nyumbani. Je, ni sawa?", True),
        (
            "Je note que l'arrêt 1 n'a pas été livré : le destinataire n'était pas chez lui. C'est bien ça ?",
            True,
        ),
    ],
)
def test_a3_an_attempt_is_written_when_its_reason_was_read_in_whatever_language(said, written):
    a_stop(a_driver())
    drive = Drive(a_call_at_wheel())

    proposed = drive.wants("report_attempt", stop="1", reason="not home")
    drive.reads({"message": said})
    drive.caller("yes")

    assert bool(drive.confirms(proposed)) is written
    assert is_untouched() is not written


@pytest.mark.parametrize(("name", "args"), REPORTS)
def test_a3_a_confirmation_of_nothing_or_of_another_calls_report_writes_nothing(name, args):
    a_stop(a_driver())
    proposed = run(a_call_at_wheel(), name, **args)
    call = a_call_at_wheel()

    answers = [confirm(call, proposed), run(call, "confirm_report", change_id="7K3MQ9TX")]

    assert {code_of(answer) for answer in answers} == {"no_proposal"}
    assert run(call, "confirm_report")["status"] == "refused"
    assert is_untouched()


def test_a_report_and_a_customers_wish_are_not_confirmed_as_each_other():
    a_stop(a_driver())
    own = a_parcel(RIDER, tracking_id="KM-4279", depot=a_depot())
    own.set_pin("2580")
    own.save()
    call = a_call_at_wheel()
    run(call, "submit_pin", pin="2580", tracking_id="KM4279")
    wish = run(call, "hold_for_pickup", tracking_id="KM4279")

    as_report = confirm(call, wish)
    report = run(call, "report_attempt", stop="1", reason="not home")
    as_wish = run(call, "confirm_hold_for_pickup", change_id=report["data"]["change_id"])  # type: ignore[index]
    void = run(call, "confirm_hold_for_pickup", change_id=wish["data"]["change_id"])  # type: ignore[index]

    assert {code_of(answer) for answer in (as_report, void)} == {"no_proposal"}
    assert as_wish["status"] == "refused"
    assert is_untouched()


@pytest.mark.parametrize(("name", "args"), REPORTS)
def test_a_round_that_has_changed_since_is_read_back_anew(name, args):
    stop = a_stop(a_driver())
    call = a_call_at_wheel()
    proposed = run(call, name, **args)
    Shipment.objects.filter(pk=stop.shipment_id).update(version=2)

    refused = confirm(call, proposed)
    anew = run(call, name, **args)

    assert (code_of(refused), refused["retryable"]) == ("round_changed", True)
    assert anew["data"]["change_id"] != proposed["data"]["change_id"]  # type: ignore[index]
    assert confirm(call, anew)["status"] == "ok"


@pytest.mark.parametrize("minutes", ["soon", "99999", "0", "241"])
def test_a_delay_that_is_none_is_asked_for_again(minutes):
    a_stop(a_driver())

    answer = run(a_call_at_wheel(), "running_late", minutes=minutes)

    assert (answer["status"], answer["retryable"]) == ("refused", True)
    assert Shipment.objects.get().version == 1


@pytest.mark.parametrize("stop", ["the next", "9999"])
def test_a_stop_without_a_number_is_asked_for(stop):
    a_stop(a_driver())

    answer = run(a_call_at_wheel(), "stop_directions", stop=stop)

    assert answer["message"] == "Which stop do you mean? Please tell me its number."


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
