"""What a driver may hear of his round and do on it: a table a rule."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipments import round_rules
from shipments.round_errors import (
    DelayUnclearError,
    NoRoundError,
    NotOnRoundError,
    ReasonUnclearError,
    RoundDoneError,
    RoundError,
    StopDoneError,
)
from shipments.round_rules import Door
from shipments.statuses import Reason, Status
from tests.shipments.builders import NOW

DONE = Door(1, Status.ATTEMPT_FAIL, is_done=True)
GONE = Door(2, Status.AVAILABLE_FOR_PICKUP)
NEXT = Door(3, Status.OUT_FOR_DELIVERY, eta_at=NOW)
UNTIMED = Door(4, Status.OUT_FOR_DELIVERY)
LAST = Door(7, Status.OUT_FOR_DELIVERY, eta_at=NOW + timedelta(hours=1))
ROUND = (DONE, GONE, NEXT, UNTIMED, LAST)


@pytest.mark.parametrize(
    ("door", "expected"),
    [
        (DONE, False),
        (GONE, False),
        (NEXT, True),
        (Door(1, Status.OUT_FOR_DELIVERY, is_done=True), False),
        (Door(1, Status.DELIVERED), False),
        (Door(1, Status.IN_TRANSIT), False),
    ],
)
def test_a_driver_has_still_to_come_to_what_is_on_the_road_and_not_done(door, expected):
    assert door.is_waiting is expected


@pytest.mark.parametrize(
    ("doors", "position", "expected"),
    [
        (ROUND, None, NEXT),
        (ROUND, 7, LAST),
        (ROUND, 1, DONE),
        ((), None, NoRoundError),
        ((), 1, NoRoundError),
        ((DONE, GONE), None, RoundDoneError),
        (ROUND, 5, NotOnRoundError),
        (ROUND, 0, NotOnRoundError),
    ],
)
def test_a_stop_is_the_next_one_or_one_of_his_own_by_its_number(doors, position, expected):
    if isinstance(expected, Door):
        assert round_rules.chosen(doors, position) is expected
    else:
        with pytest.raises(expected):
            round_rules.chosen(doors, position)


@pytest.mark.parametrize(
    ("position", "refused"), [(None, False), (3, False), (7, False), (1, True), (2, True)]
)
def test_a_stop_that_is_done_is_not_worked_on_again(position, refused):
    if refused:
        with pytest.raises(StopDoneError):
            round_rules.waiting(ROUND, position)
    else:
        assert round_rules.waiting(ROUND, position).is_waiting


@pytest.mark.parametrize(("door", "sent"), [(NEXT, True), (LAST, False), (DONE, False), (UNTIMED, False)])
def test_the_code_of_a_gate_goes_out_for_the_next_stop_alone(door, sent):
    assert round_rules.gets_code(ROUND, door) is sent


def test_a_driver_who_is_late_is_late_everywhere_he_has_still_to_come():
    assert round_rules.delayed(ROUND, 20) == {
        3: NOW + timedelta(minutes=20),
        7: NOW + timedelta(minutes=80),
    }


@pytest.mark.parametrize(
    ("doors", "minutes", "refusal"),
    [
        (ROUND, 0, DelayUnclearError),
        (ROUND, -5, DelayUnclearError),
        (ROUND, 241, DelayUnclearError),
        ((), 20, NoRoundError),
        ((DONE, GONE), 20, RoundDoneError),
    ],
)
def test_a_delay_is_some_minutes_and_of_something(doors, minutes, refusal):
    with pytest.raises(refusal):
        round_rules.delayed(doors, minutes)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("consignee_not_home", Reason.CONSIGNEE_NOT_HOME),
        ("Not home", Reason.CONSIGNEE_NOT_HOME),
        ("address not found", Reason.CARRIER_ADDRESS_NOT_FOUND),
        ("access-restricted", Reason.CONSIGNEE_ACCESS_RESTRICTED),
        ("weather_delay", Reason.WEATHER_DELAY),
        ("unknown", Reason.UNKNOWN),
    ],
)
def test_a_reason_is_known_by_its_name(said, reason):
    assert round_rules.reason_of(said) is reason


@pytest.mark.parametrize("said", ["", "the dog", "consignee", "; drop table", "1"])
def test_a_reason_that_there_is_not_is_asked_for_with_the_common_ones(said):
    with pytest.raises(ReasonUnclearError) as refused:
        round_rules.reason_of(said)

    assert "recipient not at home" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("Blue gate, ring twice", "4711", "Blue gate, ring twice"),
        ("Type 4711 at the gate", "4711", "Type (code by message) at the gate"),
        ("Type 4-7 1 1#", "4711#", "Type (code by message)#"),
        ("The word is open sesame.", "Open Sesame", "The word is (code by message)."),
        ("House 147110", "4711", "House 147110"),
        ("Ring 0700 000 001 or +254700000001", "", "Ring (number left out) or (number left out)"),
        ("House 12, floor 3", "", "House 12, floor 3"),
    ],
)
def test_a_note_is_spoken_without_the_code_and_without_telephone_numbers(text, code, expected):
    assert round_rules.speakable(text, code) == expected


@given(
    st.text(alphabet="abc 4711-#", max_size=30),
    st.text(alphabet="4711ab", min_size=4, max_size=6),
    st.sampled_from(["", " ", "-", ". "]),
)
def test_a_code_among_words_is_never_spoken(around, code, mark):
    text = f"{around} {mark.join(code)} {around}"

    spoken = round_rules.speakable(text, code)

    assert f" {mark.join(code)} " not in spoken


@given(
    st.lists(st.builds(Door, st.integers(1, 9), st.sampled_from(Status), st.booleans()), max_size=9),
    st.none() | st.integers(-1, 10),
)
def test_what_is_worked_on_is_one_of_the_drivers_own_and_on_the_road(doors, position):
    try:
        found = round_rules.waiting(doors, position)
    except RoundError:
        return

    assert found in doors
    assert found.status == Status.OUT_FOR_DELIVERY
    assert not found.is_done
    assert position is None or found.position == position
