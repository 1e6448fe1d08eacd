"""A driver's report is written once he has heard all of it and spoken after that, and once only."""

from dataclasses import replace

import pytest

from shipments.models import Shipment
from tests.shipments.builders import a_depot, a_parcel
from tests.voice.test_discretion import Talk, a_brief, runs
from tests.voice.wheel import (
    REPORTS,
    RIDER,
    a_call_at_wheel,
    a_driver,
    a_stop,
    code_of,
    confirm,
    is_untouched,
    run,
)
from voice import events as call_events
from voice import tools
from voice.models import Call

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_haste(settings):
    settings.TOOL_CALLS_A_MINUTE = 1_000


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
