"""Place calls against a platform that does what a test says, by a clock that the test moves."""

from datetime import datetime, timedelta

from shipments.statuses import Status
from tests.shipments.builders import AMINA, NOW, a_parcel
from voice import calls, dialing, outbound, placing, reports
from voice.dial_rules import Answer, Now
from voice.models import OutboundCall
from voice.statuses import Purpose
from voice.wire import sautikit
from voice.wire.placing import Accepted, Placement

OURS = "+254700000900"
LATER = NOW + timedelta(minutes=5)
"""After the time in which a dialler that was killed is missed."""


def a_parcel_at_the_door(**fields):
    """Create a parcel that is out for delivery and a quarter of an hour away."""
    return a_parcel(**{"status": Status.OUT_FOR_DELIVERY, "eta_at": NOW + timedelta(minutes=15)} | fields)


def planned(parcel=None, purpose=Purpose.ETA, now=NOW, **fields) -> OutboundCall:
    """Plan a call that the gate lets through."""
    row = dialing.plan(parcel or a_parcel_at_the_door(), purpose, by="test", now=now, **fields).outbound
    assert row is not None
    return row


class Platform:
    """Answers each request with the next of `answers`, and with the last for ever; keeps what was asked."""

    def __init__(self, *answers: Placement) -> None:
        self.answers = list(answers) or [Accepted("", "")]
        self.orders: list[str] = []

    def place(self, request_id: str) -> Placement:
        """Take a request."""
        self.orders.append(request_id)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def dial(platform: Platform, now: datetime = NOW, by: str = "d1") -> Answer | placing.Turn | None:
    """Do what a dialler does with the call that is due: claim it, ask again, place it and write it down."""
    row = outbound.claim(by, now)
    if row is None:
        return None
    said = placing.begin(row, now)
    if isinstance(said, Now):
        placing.settle(row, platform.place(row.client_request_id), now, lambda: 1.0)
    elif isinstance(said, placing.Turn):
        outbound.release(row, said.when, "Another dialler's turn.")
    return said


def webhook(row: OutboundCall | None = None, edge="Ringing", number=AMINA, **fields) -> sautikit.Webhook:
    """Return what the platform posts of a call that we placed."""
    return sautikit.parse_webhook(
        {
            "sessionId": "HD_1",
            "callerNumber": OURS,
            "destinationNumber": number,
            "callSessionState": edge,
            "direction": "Outbound",
            **({"clientRequestId": row.client_request_id} if row else {}),
        }
        | fields
    )


def opened(hook: sautikit.Webhook, now: datetime = NOW) -> calls.Opening | None:
    """Take a first webhook as the view does."""
    return calls.open_call(hook, own_number=OURS, region="KE", now=now, signed=True)


def fresh(row: OutboundCall) -> OutboundCall:
    """Return the row as it stands now."""
    return OutboundCall.objects.select_related("call").get(pk=row.pk)


def over(edge):
    """Return what has the carrier tell that a call came to this."""
    return lambda row: reports.note_edge(webhook(row, edge), now=LATER)


def an_answered_call(row: OutboundCall) -> int:
    """Have a planned call rung and picked up; return the telephone call's key."""
    dial(Platform())
    opening = opened(webhook(row))
    assert opening is not None
    facts = calls.accept_stream(opening.token, now=NOW)
    assert facts is not None
    return facts.call_id
