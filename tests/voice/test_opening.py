"""Who asks for a person is rung back, until there is a way to give him one."""

import asyncio

import pytest

from tests.voice.builders import a_live_call
from voice import opening
from voice.journal import CallJournal
from voice.models import CallbackRequest
from voice.ports import NoTransfer, Outcome, Transfer
from voice.proof import NumberProof
from voice.wire import gemini

pytestmark = pytest.mark.django_db(transaction=True)


class Switchboard:
    """Puts a person on every line."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    async def connect(self, session_id: str) -> bool:
        """Connect, and say so."""
        self.connected.append(session_id)
        return True


def asked(name: str, transfer: Transfer) -> Outcome:
    """Have the model call a tool; return what it came to."""
    facts = a_live_call()

    async def ask() -> Outcome:
        async with NumberProof(facts) as proof:
            ports = opening.ports(facts, None, CallJournal(facts.call_id), proof, transfer)  # type: ignore[arg-type]
            return await ports.run_tool(gemini.ToolCall("c1", name, {}))

    return asyncio.run(ask())


def test_nobody_is_connected_and_who_asks_is_rung_back():
    outcome = asked("request_callback", NoTransfer())

    assert "will call you back" in str(outcome.result["message"])
    assert CallbackRequest.objects.count() == 1


def test_who_is_given_a_person_is_not_rung_back():
    switchboard = Switchboard()

    outcome = asked("request_callback", switchboard)

    assert switchboard.connected == ["HD_1"]
    assert (outcome.state, outcome.result["data"]) == ("ok", {"code": "transferred"})
    assert not CallbackRequest.objects.exists()


def test_a_person_is_given_to_who_asks_for_one_only(settings):
    settings.CALLER_PROOF = "none"
    switchboard = Switchboard()

    asked("track_shipment", switchboard)

    assert not switchboard.connected
