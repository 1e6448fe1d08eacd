"""Let a member of staff ring the agent from a browser, as somebody of the demonstration."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from shipments.personas import personas
from voice import budget, calls
from voice.admission import GATE, Refusal
from voice.errors import NotRungError

RIGHT = "voice.place_test_call"
_WHY: Mapping[Refusal, str] = {
    Refusal.DRAINING: "The server is about to stop. Try again in a minute.",
    Refusal.FULL: "The line is full: its calls are for customers first.",
    Refusal.LAGGING: "The server is too busy now. Try again in a minute.",
    Refusal.MODEL_DOWN: "The voice model cannot be reached now.",
    Refusal.SAME_NUMBER: "This person is on the line already. Hang up there, or be somebody else.",
    Refusal.TOO_FAST: "Too many calls begin at once. Try again in a few seconds.",
    Refusal.BUDGET: "What calls may cost today is spent.",
}


def ring(key: str, *, by: User, now: datetime) -> calls.Opening:
    """Begin a test call as the persona of that key; its token opens one stream.

    Raises:
        NotRungError: there is no such demo customer or driver, or no call is taken now.
    """
    persona = next((one for one in personas(by) if one.key == key), None)
    if persona is None:
        raise NotRungError(
            "Choose one of the demonstration's customers or drivers: nobody else may be played."
        )
    with transaction.atomic():
        opening = calls.open_test_call(number=persona.number, by=by, now=now)
        spent = budget.is_spent(now, but=opening.facts.call_id)
        refusal = GATE.invite(opening.facts.public_id, persona.number, opening.token, over_budget=spent)
        if refusal is not None:
            raise NotRungError(_WHY[refusal])
    return opening
