"""Calls as the carrier brings them, for tests."""

from datetime import UTC, datetime

from tests.shipments.builders import AMINA
from voice import calls
from voice.wire import sautikit

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
OURS = "+254700000900"
USAGE = {
    "promptTokenCount": 130,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 30},
        {"modality": "AUDIO", "tokenCount": 100},
    ],
    "responseTokenCount": 50,
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}],
    "totalTokenCount": 180,
}


def a_webhook(**fields) -> sautikit.Webhook:
    """Return what the carrier posts as a call rings."""
    return sautikit.parse_webhook(
        {
            "sessionId": "HD_1",
            "callerNumber": AMINA,
            "destinationNumber": OURS,
            "callSessionState": "Ringing",
            "direction": "Inbound",
        }
        | fields
    )


def opened(now=NOW, **fields) -> calls.Opening | None:
    """Deliver a call's webhook."""
    return calls.open_call(a_webhook(**fields), own_number=OURS, region="KE", now=now)


def an_opening(**fields) -> calls.Opening:
    """Deliver the webhook of a call that may connect."""
    opening = opened(**fields)
    assert opening is not None
    return opening


def a_live_call(**fields) -> calls.CallFacts:
    """Return the facts of a call that has its stream."""
    facts = calls.accept_stream(an_opening(**fields).token, now=NOW)
    assert facts is not None
    return facts
