"""A call that we place, from the command to its end: real server process, fake carrier, scripted model."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.line import CALLER, OWN_NUMBER, ROUTING, Line, LocalModel, eventually
from voice.levels import Level
from voice.sandbox.call_record import CallRecord
from voice.sandbox.callees import Nobody
from voice.sandbox.caller import Greet, Say, Script
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.live_server import LiveServer
from voice.sandbox.scenario import parse
from voice.sandbox.scripted import scripted_voice
from voice.sandbox.stream import Leg
from voice.sandbox.tones import encode

pytestmark = pytest.mark.slow

API_KEY = "planted-telephone-key-of-the-line"
SCENARIO = parse(
    {
        "when": [
            {"nudged": "", "say": "Hello. Is it you?"},
            {"heard": "yes", "say": "Someone will come."},
        ]
    }
)
ASKING = {"nudged": "", "say": "Hello. Am I speaking with the person expecting it?", "once": True}
CONFIRMING = parse(
    {
        "when": [
            ASKING,
            {"heard": "yes", "calls": [{"name": "confirm_recipient"}]},
            {"answered": "confirm_recipient", "say": "Someone will come."},
        ]
    }
)
TALKED_OVER = parse(
    {
        "when": [
            ASKING,
            {"heard": "tone", "calls": [{"name": "track_shipment"}, {"name": "confirm_recipient"}]},
            {
                "answered": "confirm_recipient",
                "calls": [{"name": "report_answered_by", "args": {"who": "voicemail"}}],
            },
            {"answered": "report_answered_by", "say": "The courier called you."},
        ]
    }
)
"""A model that tries all that it can at a voicemail, before it sees what it has before it."""
PARCEL = """
from datetime import timedelta
from django.utils import timezone
from shipments.models import Address, Shipment
now = timezone.now()
for number, phone in enumerate({phones!r}):
    address = Address.objects.create(recipient_name="Amina Sample", city="Nairobi", country="KE")
    Shipment.objects.create(
        tracking_id=f"KM90000{{number}}", recipient_name="Amina Sample", phone=phone, address=address,
        status="out_for_delivery", eta_at=now + timedelta(minutes={minutes}), time_zone="Africa/Nairobi",
    )
"""


def answers() -> Script:
    """Return somebody who says yes, hears the rest and hangs up."""
    return Script([Say(encode("yes", 16_000))])


class House:
    """The line with a platform that rings people and a model that talks by script."""

    def __init__(self, line: Line, carrier: FakeCarrier) -> None:
        self.line = line
        self.carrier = carrier

    async def manage(self, *command: str) -> str:
        """Run a command of manage.py while the platform and the model go on."""
        return await asyncio.to_thread(self.line.manage, *command)

    async def over(self, calls: int = 1) -> list[CallRecord]:
        """Return what the platform saw when so many calls are over."""
        await asyncio.to_thread(eventually, lambda: len(self.carrier.records) >= calls, 40)
        return self.carrier.records

    async def become(self, *states: tuple[str, str]) -> None:
        """Wait until the placed calls are in these states, with these outcomes."""
        await asyncio.to_thread(eventually, lambda: self.states() == [*states], 10)

    def states(self) -> list[tuple[Any, ...]]:
        """Return the placed calls as the database has them."""
        return self.line.rows("SELECT state, outcome FROM voice_outboundcall ORDER BY id")


def in_house(
    folder: Path,
    scenario: Any,
    *,
    callee: Any = lambda _: answers(),
    leg: Any = None,
    talk: Any = SCENARIO,
    **environment: str,
) -> None:
    """Run `scenario` in a house of its own."""

    async def run() -> None:
        async with LiveServer(voice=scripted_voice(talk)) as model:
            settings = {
                "SAUTIKIT_API_KEY": API_KEY,
                "DIAL_HOURS": "00:00-24:00",
                "GREETING_SHIELD_S": "0",
            } | environment
            line = Line(folder, "serve", cast(LocalModel, SimpleNamespace(url=model.url)), settings)
            voice_url = f"{line.http}/voice/{ROUTING}"
            async with FakeCarrier(voice_url, api_key=API_KEY, callee=callee, leg=leg) as carrier:
                line._environment["SAUTIKIT_BASE_URL"] = carrier.base_url
                try:
                    await asyncio.to_thread(line.start)
                    await scenario(House(line, carrier))
                finally:
                    if hasattr(line, "process"):
                        await asyncio.to_thread(line.stop)
            assert not line.leaks(), line.log()

    asyncio.run(run())


def test_an_outbound_eta_call_is_placed_answered_and_carried(tmp_path):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=[CALLER], minutes=10))

        dry = json.loads(await house.manage("place_calls", "--due", "--dry-run", "--json"))
        [placed] = json.loads(await house.manage("place_calls", "--due", "--json"))
        again = json.loads(await house.manage("place_calls", "--due", "--json"))
        [record] = await house.over()

        assert [(one["decision"], one["call"]) for one in dry] == [("now", None)]
        assert (placed["tracking_id"], placed["decision"]) == ("KM900000", "now")
        assert again == []
        assert (record.direction, record.status, record.faults) == ("Outbound", "completed", ())
        assert record.media.heard.strip(b"\x00")
        await house.become(("done", "answered"))
        [(direction, status, purpose, number, public_id)] = house.line.rows(
            "SELECT direction, status, purpose, customer_number, public_id FROM voice_call"
        )
        assert (direction, status, purpose, number) == ("outbound", "completed", "eta", CALLER)
        assert public_id == placed["call"]
        turns = house.line.rows("SELECT speaker, text FROM voice_turn ORDER BY position")
        assert [speaker for speaker, _ in turns][:3] == ["agent", "caller", "agent"]

    in_house(tmp_path, scenario)


def test_o13_who_hears_the_question_and_answers_is_the_recipient_and_was_contacted(tmp_path):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=[CALLER], minutes=10))

        await house.manage("place_calls", "--due")
        await house.over()
        await house.become(("done", "answered"))

        assert house.line.rows("SELECT name, state FROM voice_toolrun") == [("confirm_recipient", "ok")]
        assert house.line.rows("SELECT level FROM voice_call") == [(Level.L1_PLUS,)]
        assert house.line.rows("SELECT substatus FROM shipments_trackingevent") == [("OutForDelivery_003",)]

    in_house(tmp_path, scenario, talk=CONFIRMING)


def test_o13_a_voicemail_confirms_nothing_and_is_rung_again_another_day(tmp_path):
    greeting = encode("you have reached me leave word after the tone", 16_000)

    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=[CALLER], minutes=10))

        await house.manage("place_calls", "--shipment", "km 900000", "--purpose", "confirm_address")
        await house.over()
        await house.become(("done", "voicemail"), ("planned", ""))

        runs = house.line.rows("SELECT name, state FROM voice_toolrun ORDER BY id")
        assert sorted(runs) == [
            ("confirm_recipient", "refused"),
            ("report_answered_by", "ok"),
            ("track_shipment", "refused"),
        ]
        assert house.line.rows("SELECT ended_reason FROM voice_call") == [("voicemail",)]
        assert house.line.rows("SELECT reason FROM shipments_trackingevent") == [("consignee_not_available",)]

    def machine(_: object) -> Script:
        return Script([Greet(greeting)], linger_ms=8_000)

    in_house(tmp_path, scenario, callee=machine, talk=TALKED_OVER, VOICEMAIL_SPEECH_S="1")


def test_whom_nobody_reaches_is_called_again_later_and_the_queue_says_why(tmp_path):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=[CALLER], minutes=10))

        printed = await house.manage("place_calls", "--shipment", "km 900000", "--purpose", "confirm_address")
        [record] = await house.over()

        assert printed.startswith("KM900000  now")
        assert record.status == "no_answer"
        await house.become(("failed", "no_answer"), ("planned", ""))

    in_house(tmp_path, scenario, callee=lambda _: Nobody.NO_ANSWER)


def test_o16_whose_stream_is_never_opened_heard_nothing_of_us_and_is_called_again(tmp_path):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=[CALLER], minutes=10))

        await house.manage("place_calls", "--shipment", "km 900000", "--purpose", "confirm_address")
        [record] = await house.over()

        assert (record.status, record.ended_by, record.heard) == ("completed", "dead air", b"")
        await house.become(("failed", "network"), ("planned", ""))
        [reason, _] = house.line.rows("SELECT reason FROM voice_outboundcall ORDER BY id")
        assert "picked up, and heard nothing of us" in reason[0]

    in_house(tmp_path, scenario, leg=Leg(forks=False, dead_air_s=1.0))


def test_quiet_hours_print_the_reason_and_ring_nobody(tmp_path):
    async def scenario(house: House) -> None:
        await house.manage("shell", "-v0", "-c", PARCEL.format(phones=[CALLER, OWN_NUMBER], minutes=10))

        quiet, own = json.loads(await house.manage("place_calls", "--due", "--json"))

        assert quiet["decision"] in ("at", "never")
        assert "quiet hours" in quiet["reason"]
        assert (own["decision"], own["reason"]) == ("never", "The parcel's telephone number is our own.")
        assert house.carrier.records == []

    # A minute of the day that is not this one, whenever this runs.
    in_house(tmp_path, scenario, DIAL_HOURS=_another_minute())


def _another_minute() -> str:
    hour = (datetime.now(UTC) + timedelta(hours=3 + 12)).hour
    return f"{hour:02}:00-{hour:02}:01" if hour else "12:00-12:01"
