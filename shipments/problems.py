"""Take down what went wrong with a parcel, as is said; it changes no status, a colleague looks into it."""

from datetime import datetime
from enum import StrEnum

from django.db import transaction

from shipments import texting
from shipments.errors import NotDeliveredError, ProblemUnclearError
from shipments.history import record, scoped
from shipments.messages import MessageKind
from shipments.models import PROBLEM, Shipment
from shipments.rules import POLICY
from shipments.statuses import Status
from shipments.telling import ending


class Problem(StrEnum):
    """What may have gone wrong."""

    DAMAGED = "damaged"
    MISSING = "missing"
    DISPUTE = "dispute"


_WORDS = {
    Problem.DAMAGED: "Recipient reports damage",
    Problem.MISSING: "Recipient reports something missing",
    Problem.DISPUTE: "Recipient disputes the delivery",
}


def note_wrong_number(shipment: Shipment, *, call_public_id: str, now: datetime) -> None:
    """Add to a parcel's history that somebody else has its telephone number, for a colleague to look into."""
    _note(shipment, "wrong_number", "Somebody else answers at the recipient's number", call_public_id, now)


def note_spent_code(shipment_id: int, *, call_public_id: str, now: datetime) -> None:
    """Have a colleague and the number of record know, once a code, that too many wrong ones were tried."""
    shipment = Shipment.objects.filter(pk=shipment_id, pin_failures__gte=POLICY.pin_failures).first()
    if shipment is None or not shipment.pin_seal:
        return
    key = PROBLEM + scoped("code", str(shipment.pk), shipment.pin_seal)
    with transaction.atomic():
        _note(
            shipment,
            "code_spent",
            "Too many wrong delivery codes: a new one is needed",
            call_public_id,
            now,
            key,
        )
        texting.tell(shipment, MessageKind.CODE, texting.CODE_SPENT, key=key, now=now)


def report_problem(shipment: Shipment, *, kind: str, call_public_id: str, now: datetime) -> dict[str, object]:
    """Add a problem to a parcel's history, once a call and kind, for a colleague to look into.

    The parcel was found for this caller, by `telling`.

    Raises:
        ShipmentError: no such problem, or a dispute of what has not been delivered.
    """
    if kind not in set(Problem):
        raise ProblemUnclearError
    if kind == Problem.DISPUTE and shipment.status != Status.DELIVERED:
        raise NotDeliveredError
    _note(shipment, kind, _WORDS[Problem(kind)], call_public_id, now)
    return {
        "status": "ok",
        "say": f"I have noted that for your parcel ending {ending(shipment)}. A colleague will look into it.",
        "kind": kind,
    }


def _note(
    shipment: Shipment, kind: str, words: str, call_public_id: str, now: datetime, key: str = ""
) -> None:
    key = key or f"{PROBLEM}{call_public_id}:{shipment.pk}:{kind}"
    with transaction.atomic():
        # Of two reports at once the second sees the first.
        Shipment.objects.filter(pk=shipment.pk).locked().first()
        if not shipment.events.filter(idempotency_key=key).exists():
            record(
                shipment,
                description=words,
                call_public_id=call_public_id,
                key=key,
                now=now,
                verb="report_problem",
                before={},
                after={"problem": kind},
            )
