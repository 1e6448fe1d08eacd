"""What a caller may have moved, on the database."""

from datetime import timedelta

import pytest

from shipments import decisions, enquiries, rescheduling
from shipments.depots import DeliverySlot
from shipments.errors import (
    AlreadyDecidedError,
    AlreadyWaitingError,
    AttemptsUsedError,
    ClosedError,
    DeliveredError,
    NoProposalError,
    NoSlotError,
    NoSuchDayError,
    ParcelChangedError,
    ParcelUnknownError,
    ProposalExpiredError,
    SameSlotError,
    ShipperForbidsError,
    SlotFullError,
    TooFarError,
    TooSoonError,
    UnclearDayError,
    WhichParcelError,
)
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.signals import shipment_changed
from shipments.statuses import ChangeState, Source, Status, Substatus
from shipments.telling import find_own
from tests.shipments.builders import (
    AMINA,
    BRIAN,
    CALL,
    FRIDAY,
    NOW,
    TODAY,
    a_depot,
    a_parcel,
    a_slot,
    staff,
)

pytestmark = pytest.mark.django_db


def track(said_id=None, number=AMINA, now=NOW):
    return enquiries.track(number=number, said_id=said_id, now=now)


def offer(said_id=None, day=None, number=AMINA, now=NOW):
    return enquiries.offer_slots(find_own(number, said_id or ""), day=day, now=now)


def prepare(day="friday", window=None, said_id=None, number=AMINA, call=CALL, key="k", now=NOW):
    return rescheduling.prepare_reschedule(
        find_own(number, said_id or ""), day=day, window=window, call_public_id=call, key=key, now=now
    )


def confirm(change_id, number=AMINA, call=CALL, now=NOW):
    return rescheduling.confirm_reschedule(number=number, change_id=change_id, call_public_id=call, now=now)


def test_a_parcel_is_moved_once_the_caller_has_agreed():
    depot = a_depot()
    old, new = a_slot(depot, FRIDAY - timedelta(days=1), booked=3), a_slot(depot)
    parcel = a_parcel(
        tracking_id="KM-4279",
        depot=depot,
        slot=old,
        promised_start=old.starts_at,
        promised_end=old.ends_at,
        eta_at=NOW,
        eta_computed_at=NOW,
    )

    proposed = prepare()

    parcel.refresh_from_db()
    assert parcel.slot == old
    assert proposed["read_back"] == (
        "I will move your parcel K M, 4 2 7 9 to Friday 27 November, 9 am to 12 noon. Is that right?"
    )

    done = confirm(proposed["change_id"])

    parcel.refresh_from_db()
    old.refresh_from_db()
    new.refresh_from_db()
    change = DeliveryChange.objects.get()
    event = TrackingEvent.objects.get(source=Source.VOICE_AGENT)
    assert done["say"] == "Done. Your parcel ending 4 2 7 9 now comes Friday 27 November, 9 am to 12 noon."
    assert (parcel.slot, parcel.version, parcel.eta_at) == (new, 2, None)
    assert (parcel.promised_start, parcel.promised_end) == (new.starts_at, new.ends_at)
    assert (old.booked, new.booked) == (2, 1)
    assert (change.state, change.decided_at) == (ChangeState.APPLIED, NOW)
    assert (event.substatus, event.call_public_id) == (Substatus.APPOINTMENT_SCHEDULED, CALL)
    assert "planned for Friday 27 November" in track()["say"]


def test_yes_said_twice_moves_once_and_is_answered_twice():
    depot = a_depot()
    slot = a_slot(depot)
    a_parcel(depot=depot)
    change_id = prepare()["change_id"]

    first, second = confirm(change_id), confirm(change_id.lower())

    slot.refresh_from_db()
    assert first == second
    assert slot.booked == 1
    assert TrackingEvent.objects.filter(source=Source.VOICE_AGENT).count() == 1


def test_the_same_wish_gives_the_same_proposal_and_a_new_one_voids_it():
    depot = a_depot()
    a_slot(depot)
    a_slot(depot, FRIDAY, 14, 17)
    a_parcel(depot=depot)

    first, repeated = prepare(key="a"), prepare(key="a")
    other = prepare(window="afternoon", key="b")
    again = prepare(key="a")

    assert first == repeated
    assert len({first["change_id"], other["change_id"], again["change_id"]}) == 3
    with pytest.raises(NoProposalError):
        confirm(first["change_id"])
    with pytest.raises(NoProposalError):
        confirm(other["change_id"])
    assert confirm(again["change_id"])["state"] == "applied"


@pytest.mark.parametrize(
    ("window", "said"),
    [("morning", "7 am to 11 am"), ("afternoon", "12 noon to 2 pm"), ("12 noon to 2 pm", "12 noon to 2 pm")],
)
def test_a_part_of_the_day_is_the_recipients_wherever_the_depot_is(window, said):
    depot = a_depot(time_zone="Africa/Lagos")  # two hours behind Nairobi
    a_slot(depot, FRIDAY, 5, 9)
    a_slot(depot, FRIDAY, 10, 12)
    a_parcel(depot=depot, time_zone="Africa/Nairobi")

    assert f"Friday 27 November, {said}" in prepare(window=window)["read_back"]


def test_a_parcel_out_for_delivery_is_moved_by_a_dispatcher_only():
    depot = a_depot()
    slot = a_slot(depot)
    parcel = a_parcel(depot=depot, status=Status.OUT_FOR_DELIVERY)

    proposed = prepare()
    done = confirm(proposed["change_id"])

    before = parcel.updated_at
    parcel.refresh_from_db()
    slot.refresh_from_db()
    assert "dispatcher" in proposed["read_back"]
    assert done["state"] == "needs_approval"
    assert (parcel.version, parcel.slot, parcel.updated_at, slot.booked) == (1, None, before, 0)
    assert list(DeliveryChange.objects.waiting()) == [DeliveryChange.objects.get()]
    assert track()["change_waiting"] is True
    with pytest.raises(AlreadyWaitingError):
        prepare(key="again")


def test_a_dispatcher_carries_out_what_waits():
    depot = a_depot()
    slot = a_slot(depot)
    parcel = a_parcel(depot=depot, status=Status.OUT_FOR_DELIVERY, eta_at=NOW, eta_computed_at=NOW)
    change_id = str(prepare()["change_id"])
    confirm(change_id)

    decisions.decide_change(ref=change_id, approve=True, by=staff("dispatcher"), reason="As agreed", now=NOW)

    parcel.refresh_from_db()
    slot.refresh_from_db()
    change = DeliveryChange.objects.get()
    event = TrackingEvent.objects.get(source=Source.DISPATCHER)
    assert (parcel.status, parcel.slot, parcel.version, slot.booked) == (Status.IN_TRANSIT, slot, 2, 1)
    assert (change.state, change.decided_by) == (ChangeState.APPLIED, "dispatcher")
    assert (event.status, event.actor, event.call_public_id) == (Status.IN_TRANSIT, "dispatcher", CALL)
    with pytest.raises(AlreadyDecidedError):
        decisions.decide_change(
            ref=change_id, approve=False, by=staff("another"), reason="As agreed", now=NOW
        )


def test_what_a_dispatcher_turns_down_leaves_the_parcel_free_for_another_wish():
    depot = a_depot()
    slot = a_slot(depot)
    a_parcel(depot=depot, status=Status.OUT_FOR_DELIVERY)
    change_id = str(prepare()["change_id"])
    confirm(change_id)

    decisions.decide_change(ref=change_id, approve=False, by=staff("dispatcher"), reason="As agreed", now=NOW)

    slot.refresh_from_db()
    assert slot.booked == 0
    assert DeliveryChange.objects.get().state == ChangeState.REJECTED
    assert prepare(key="again")["needs_approval"] is True


def test_what_cannot_be_had_any_more_stays_undecided():
    depot = a_depot()
    a_slot(depot)
    parcel = a_parcel(depot=depot, status=Status.OUT_FOR_DELIVERY)
    change_id = str(prepare()["change_id"])
    confirm(change_id)
    Shipment.objects.filter(pk=parcel.pk).update(status=Status.DELIVERED)

    with pytest.raises(DeliveredError):
        decisions.decide_change(
            ref=change_id, approve=True, by=staff("dispatcher"), reason="As agreed", now=NOW
        )
    with pytest.raises(NoProposalError):
        decisions.decide_change(
            ref="NOSUCH", approve=True, by=staff("dispatcher"), reason="As agreed", now=NOW
        )
    assert DeliveryChange.objects.get().state == ChangeState.NEEDS_APPROVAL


def test_only_one_wish_of_two_calls_reaches_the_dispatcher():
    depot = a_depot()
    a_slot(depot)
    a_parcel(depot=depot, status=Status.OUT_FOR_DELIVERY)
    mine, theirs = prepare(call="call-a"), prepare(call="call-b")

    confirm(mine["change_id"], call="call-a")

    with pytest.raises(AlreadyWaitingError):
        confirm(theirs["change_id"], call="call-b")


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"status": Status.DELIVERED}, DeliveredError),
        ({"status": Status.EXPIRED}, ClosedError),
        ({"status": Status.EXCEPTION, "substatus": Substatus.RETURNING}, ClosedError),
        ({"changes_allowed": False}, ShipperForbidsError),
        ({"status": Status.ATTEMPT_FAIL, "attempts": 3}, AttemptsUsedError),
    ],
)
def test_what_may_not_be_moved_is_not(fields, refusal):
    depot = a_depot()
    a_slot(depot)
    a_parcel(depot=depot, **fields)

    with pytest.raises(refusal):
        prepare()
    with pytest.raises(refusal):
        offer()
    assert not DeliveryChange.objects.exists()


@pytest.mark.parametrize(
    ("day", "refusal"),
    [
        ("31 February", NoSuchDayError),
        ("yesterday", UnclearDayError),
        ("today", TooSoonError),
        ("2026-11-01", TooSoonError),
        ("2027-12-29", TooFarError),
        ("sunday", NoSlotError),
        ("thursday", SlotFullError),
        ("2026-13-45T99:99", NoSuchDayError),
        ("x" * 10_000, UnclearDayError),
        ("\x00", UnclearDayError),
    ],
)
def test_a_day_that_cannot_be_had_is_refused_and_nothing_is_stored(day, refusal):
    depot = a_depot()
    a_slot(depot)
    a_slot(depot, FRIDAY - timedelta(days=1), booked=5)
    a_parcel(depot=depot)

    with pytest.raises(refusal):
        prepare(day)
    assert not DeliveryChange.objects.exists()


def test_tomorrow_is_too_soon_after_the_cut_off():
    depot = a_depot()
    a_slot(depot, TODAY + timedelta(days=1))
    a_parcel(depot=depot)

    with pytest.raises(TooSoonError):
        prepare("tomorrow", now=NOW + timedelta(hours=8))
    assert prepare("tomorrow", now=NOW + timedelta(hours=7, minutes=59))["change_id"]


def test_the_window_that_it_has_already_is_not_booked_again():
    depot = a_depot()
    slot = a_slot(depot, booked=1)
    a_parcel(depot=depot, slot=slot, promised_start=slot.starts_at, promised_end=slot.ends_at)

    with pytest.raises(SameSlotError):
        prepare()


@pytest.mark.parametrize(
    ("window", "hour"),
    [(None, 9), ("morning", 9), ("2 to 5 pm", 14), ("after lunch", 14), ("14:00-17:00", 14), ("any", 9)],
)
def test_the_window_nearest_to_what_was_said_is_taken(window, hour):
    depot = a_depot()
    a_slot(depot)
    a_slot(depot, FRIDAY, 14, 17)
    a_parcel(depot=depot)

    prepare(window=window)

    assert DeliveryChange.objects.get(slot__window_start__hour=hour)


def test_anothers_parcel_is_not_moved():
    depot = a_depot()
    a_slot(depot)
    a_parcel(tracking_id="KM4279", depot=depot)

    for number in (BRIAN, ""):
        with pytest.raises(ParcelUnknownError):
            prepare(said_id="KM4279", number=number)


def test_the_parcel_is_asked_for_when_there_are_several():
    a_parcel()
    a_parcel()

    with pytest.raises(WhichParcelError, match="Which one"):
        prepare()


@pytest.mark.parametrize("other", [{"call": "another-call"}, {"call": ""}, {"number": BRIAN}, {"number": ""}])
def test_a_proposal_is_worth_nothing_in_another_call(other):
    depot = a_depot()
    slot = a_slot(depot)
    a_parcel(depot=depot)
    change_id = prepare()["change_id"]

    with pytest.raises(NoProposalError):
        confirm(change_id, **other)
    slot.refresh_from_db()
    assert slot.booked == 0


@pytest.mark.parametrize("change_id", ["", "NOSUCH", "\x00", "%", "é" * 100])
def test_what_was_never_proposed_cannot_be_confirmed(change_id):
    with pytest.raises(NoProposalError):
        confirm(change_id)


def test_a_proposal_lapses_after_two_minutes():
    depot = a_depot()
    a_slot(depot)
    a_parcel(depot=depot)
    change_id = prepare()["change_id"]

    with pytest.raises(ProposalExpiredError):
        confirm(change_id, now=NOW + timedelta(seconds=121))
    with pytest.raises(NoProposalError):
        confirm(change_id)


def test_a_parcel_that_changed_in_between_is_left_alone():
    depot = a_depot()
    slot = a_slot(depot)
    parcel = a_parcel(depot=depot)
    change_id = prepare()["change_id"]
    Shipment.objects.filter(pk=parcel.pk).update(version=7)

    with pytest.raises(ParcelChangedError):
        confirm(change_id)

    slot.refresh_from_db()
    assert slot.booked == 0
    assert DeliveryChange.objects.get().state == ChangeState.PROPOSED


def test_a_window_that_filled_in_between_rolls_everything_back():
    depot = a_depot()
    slot = a_slot(depot)
    a_slot(depot, FRIDAY, 14, 17)
    parcel = a_parcel(depot=depot)
    change_id = prepare()["change_id"]
    DeliverySlot.objects.filter(pk=slot.pk).update(booked=5)

    with pytest.raises(SlotFullError, match="2 pm to 5 pm"):
        confirm(change_id)

    parcel.refresh_from_db()
    assert (parcel.version, parcel.slot) == (1, None)
    assert not TrackingEvent.objects.filter(source=Source.VOICE_AGENT).exists()


def test_the_world_hears_of_a_change_once_it_is_committed(django_capture_on_commit_callbacks):
    heard = []

    def listen(**news):
        heard.append((news["shipment_id"], news["change_ref"], news["call_public_id"]))

    depot = a_depot()
    a_slot(depot)
    parcel = a_parcel(depot=depot)
    change_id = prepare()["change_id"]
    shipment_changed.connect(listen)

    with django_capture_on_commit_callbacks(execute=True):
        confirm(change_id)
        assert heard == []
    shipment_changed.disconnect(listen)

    assert heard == [(parcel.pk, change_id, CALL)]
