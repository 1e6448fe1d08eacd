"""Four diallers on one PostgreSQL, a platform that fails at random, two killed: nobody is rung twice."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from tests.counts import counted
from tests.line import ROUTING, Line, LocalModel, eventually
from tests.services import postgres
from voice.sandbox.callees import Nobody
from voice.sandbox.caller import Script
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.rest import RestError
from voice.sandbox.stream import Leg

pytestmark = pytest.mark.slow(seconds=50)

CALLS = counted(10_000, dear=True)
# One connection for all looks: PostgreSQL starts a process for each, and there are fifty looks a second.
Database = psycopg.Connection[tuple[Any, ...]]
API_KEY = "planted-telephone-key-of-the-fleet"
PARCELS = """
from datetime import timedelta
from django.utils import timezone
from shipments.models import Address, Shipment
from voice import dialing
now = timezone.now()
address = Address.objects.create(recipient_name="Amina Sample", city="Nairobi", country="KE")
Shipment.objects.bulk_create(
    Shipment(
        tracking_id=f"KM{{number:08}}", phone=f"+254700{{10_000 + number:06}}", address=address,
        status="out_for_delivery", eta_at=now + timedelta(hours=6), time_zone="Africa/Nairobi",
    )
    for number in range({calls})
)
print(sum(planned.outbound is not None for planned in dialing.plan_arrivals(now=now)))
"""
STATES = "SELECT number, state, outcome, may_have_rung FROM voice_outboundcall WHERE attempt = 1"
LOST = "SELECT number FROM voice_outboundcall WHERE attempt = 1 AND state = 'unknown'"
NOT_DONE = """
    SELECT count(*) FROM voice_outboundcall
    WHERE attempt = 1 AND (state IN ('claimed', 'dialling', 'ringing') OR state = 'planned')
"""


class Moody(FakeCarrier):
    """A platform at which nobody picks up, and that now and then fails: before it rings, or just after.

    Of those who pick up all the same it opens no stream.
    """

    def __init__(self, url: str) -> None:
        leg = Leg(forks=False, dead_air_s=1.0)
        super().__init__(url, api_key=API_KEY, callee=self._who, leg=leg, ring_s=0.1)
        self.unheard: set[str] = set()
        self.rings: Counter[str] = Counter()
        self.refused: set[str] = set()
        self._dice = random.Random(5)

    def _who(self, number: str) -> Script | Nobody:
        return Script() if number in self.unheard else Nobody.NO_ANSWER

    def originate(self, body: Mapping[str, Any], key: str) -> dict[str, object]:
        """Ring a number once, or fail.

        Raises:
            RestError: it failed; with a 500 it may ring all the same.
        """
        [number], mood = body["to"], self._dice.random()
        if mood < 0.03:
            raise RestError(500, "internal", "nothing rings")
        if mood < 0.06:
            self.refused.add(number)
            raise RestError(400, "number.invalid", "this number is not in service")
        if mood < 0.062:
            raise RestError(429, "rate.limited", "too many calls")
        self.rings[number] += 1
        if mood > 0.95:
            self.unheard.add(number)
        placed = super().originate(body, "")  # it keeps no keys: what is sent twice rings twice
        if mood < 0.12:
            raise RestError(504, "timeout", "it rings, and the answer is lost")
        return {} if mood < 0.2 else placed


def found(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    return database.execute(query.encode()).fetchall()


async def until(holds: Any, seconds: float) -> None:
    """Wait until something is so."""
    await asyncio.to_thread(eventually, holds, seconds)


def test_p12_of_all_calls_of_a_fleet_none_rings_twice_and_none_is_lost(tmp_path: Path):
    async def scenario(line: Line, platform: Moody, database: Database) -> None:
        planned = await asyncio.to_thread(line.manage, "shell", "-v0", "-c", PARCELS.format(calls=CALLS))
        assert int(planned) == CALLS

        with ExitStack() as fleet:
            diallers = [fleet.enter_context(line.command("place_calls", "--loop")) for _ in range(4)]
            for dialler, share in zip(diallers, (0.2, 0.5), strict=False):
                await until(lambda share=share: platform.rings.total() > share * CALLS, CALLS / 5)
                dialler.kill()
            await until(lambda: found(database, "SELECT 1 FROM voice_outboundcall WHERE state = 'planned' "
                                           "AND attempt = 1 LIMIT 1") == [], CALLS / 5)  # fmt: skip
            fleet.enter_context(line.command("place_calls", "--loop"))  # it looks after what the killed left
            await until(lambda: found(database, NOT_DONE) == [(0,)], 180)
            await until(
                lambda: not {number for (number,) in found(database, LOST)} & set(platform.rings), 180
            )

        assert [dialler.returncode for dialler in diallers[:2]] == [-9, -9]
        rows = {number: rest for number, *rest in found(database, STATES)}
        assert set(platform.rings.values()) == {1}
        assert len(rows) == CALLS
        for number, (state, outcome, may_have_rung) in rows.items():
            rang = number in platform.rings
            assert may_have_rung or not rang, (number, state)
            if number in platform.refused:
                assert (state, outcome, rang) == ("failed", "refused", False)
            elif rang:
                unheard = number in platform.unheard
                assert (state, outcome) == ("failed", "network" if unheard else "no_answer")
            else:
                assert state == "unknown"
        assert platform.rings.total() > 0.8 * CALLS

    async def run(url: str, database: Database) -> None:
        environment = {
            "DATABASE_URL": url,
            "SAUTIKIT_API_KEY": API_KEY,
            "DIAL_HOURS": "00:00-24:00",
            "DIAL_PER_SECOND": "10000",
            "DIAL_AT_ONCE": "10000",
            "DIAL_ETA_LEAD_S": "86400",
            "DIAL_STUCK_S": "1",
            "DIAL_LOOK_UP_S": "5",
        }
        line = Line(tmp_path, "serve", cast(LocalModel, SimpleNamespace(url="ws://127.0.0.1:9")), environment)
        async with Moody(f"{line.http}/voice/{ROUTING}") as platform:
            line._environment["SAUTIKIT_BASE_URL"] = platform.base_url
            try:
                await asyncio.to_thread(line.start)
                await scenario(line, platform, database)
            finally:
                if hasattr(line, "process"):
                    await asyncio.to_thread(line.stop)
        assert not line.leaks(), line.log()

    with postgres() as url, psycopg.connect(url, autocommit=True) as database:
        asyncio.run(run(url, database))
