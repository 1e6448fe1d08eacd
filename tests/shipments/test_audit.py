"""Whatever changes a parcel leaves an audit entry in the same transaction, or changes nothing."""

import pytest
from django.db import IntegrityError, connection, transaction

from shipments import addresses, decisions
from shipments.audit import AuditEntry
from shipments.models import DeliveryChange, Shipment, TrackingEvent
from shipments.statuses import ChangeState, Source, Status
from shipments.telling import find_own
from tests.rivals import at_once
from tests.shipments.builders import AMINA, CALL, NOW, a_depot, a_parcel, a_slot, staff
from tests.shipments.test_two_at_once import confirming, prepare

pytestmark = pytest.mark.django_db


def test_a_moved_parcel_leaves_what_it_was_and_what_it_is():
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot)

    confirming(prepare()["change_id"])()

    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_id, entry.call_public_id) == (
        "confirm_reschedule",
        parcel.tracking_id,
        CALL,
    )
    assert entry.before == {"slot": None, "promised_start": None, "promised_end": None, "state": "proposed"}
    assert (entry.after["slot"], entry.after["state"]) == (slot.pk, "applied")


@pytest.mark.parametrize(("approve", "verb"), [(True, "approve_change"), (False, "reject_change")])
def test_a_decision_names_who_took_it(approve, verb):
    slot = a_slot(a_depot())
    a_parcel(depot=slot.depot, status=Status.OUT_FOR_DELIVERY)
    confirming(prepare()["change_id"])()

    decisions.decide_change(
        ref=DeliveryChange.objects.get().ref, approve=approve, by=staff("dana"), reason="As agreed", now=NOW
    )

    asked, decided = AuditEntry.objects.order_by("pk")
    assert (asked.after["slot"], asked.after["state"]) == (None, "needs_approval")
    assert (decided.actor, decided.verb) == ("dana", verb)
    assert decided.after["slot"] == (slot.pk if approve else None)


def test_a_confirmed_address_is_audited_and_an_address_that_does_not_match_is_not():
    a_parcel()

    for said in ("Mombasa road", "Jacaranda Court"):
        addresses.confirm_address(find_own(AMINA, ""), said=said, call_public_id=CALL, now=NOW)

    assert [entry.verb for entry in AuditEntry.objects.all()] == ["confirm_address"]


def test_a_parcel_is_not_moved_when_the_audit_cannot_be_written(monkeypatch):
    slot = a_slot(a_depot())
    parcel = a_parcel(depot=slot.depot)
    change_id = prepare()["change_id"]

    def full(**fields):
        raise OSError("disk full")

    monkeypatch.setattr(AuditEntry.objects, "create", full)
    with pytest.raises(OSError, match="disk full"):
        confirming(change_id)()

    slot.refresh_from_db()
    assert Shipment.objects.get(pk=parcel.pk).version == 1
    assert slot.booked == 0
    assert DeliveryChange.objects.get().state == ChangeState.PROPOSED
    assert not TrackingEvent.objects.filter(source=Source.VOICE_AGENT).exists()


@pytest.mark.django_db(transaction=True)
def test_one_yes_heard_eight_times_is_audited_once():
    a_parcel(depot=a_slot(a_depot()).depot)
    change_id = prepare()["change_id"]

    at_once(*[confirming(change_id)] * 8)

    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_rewrite_the_audit(statement):
    AuditEntry.objects.create(at=NOW, actor="dana", verb="v", object_kind="shipment", object_id="1")

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(AuditEntry._meta.db_table))

    assert AuditEntry.objects.get().actor == "dana"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite knows no TRUNCATE")
def test_the_database_itself_refuses_to_empty_the_audit():
    AuditEntry.objects.create(at=NOW, actor="dana", verb="v", object_kind="shipment", object_id="1")

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"TRUNCATE {AuditEntry._meta.db_table}")

    assert AuditEntry.objects.get().actor == "dana"


@pytest.mark.django_db(transaction=True)  # PostgreSQL truncates nothing that this transaction wrote to
@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_itself_refuses_to_rewrite_a_history(statement):
    if statement.startswith("TRUNCATE") and connection.vendor != "postgresql":
        pytest.skip("SQLite knows no TRUNCATE")
    a_parcel()
    before = list(TrackingEvent.objects.values())

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(TrackingEvent._meta.db_table))

    assert before
    assert list(TrackingEvent.objects.values()) == before
