"""Call customers: plan what the rules or the dispatcher want, and dial what may be dialled now."""

import asyncio
import json
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shipments.models import Shipment
from voice import dialing, placing, ringing_back
from voice.carrier import reach
from voice.dial_rules import Answer, At, Never, Now, spoken
from voice.dialing import Planned
from voice.models import OutboundCall
from voice.orm import bound_queries, run_db
from voice.statuses import DialState, Purpose

_BAR = 24


class Command(BaseCommand):
    """Print who is called, when, and why not; Ctrl-C lets what was begun end and begins nothing more."""

    help = "Call customers about their parcels, where the rules allow it; what is for later is planned."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--shipment", nargs="+", default=[], metavar="ID", help="tracking numbers to call about"
        )
        parser.add_argument(
            "--due", action="store_true", help="plan what the rules want, then dial what is due"
        )
        parser.add_argument("--purpose", choices=Purpose.values, default=Purpose.ETA)
        parser.add_argument("--limit", type=int, help="at most so many")
        parser.add_argument(
            "--dry-run", action="store_true", help="only say who would be called, when, and why not"
        )
        parser.add_argument("--loop", action="store_true", help="go on until stopped")
        parser.add_argument("--json", action="store_true", help="print a list of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        """Plan, dial and report."""
        if not (options["shipment"] or options["due"] or options["loop"]):
            raise CommandError("Name parcels with --shipment, or say --due or --loop.")
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError("--limit is at least 1.")
        if options["loop"] and (options["dry_run"] or options["json"]):
            raise CommandError("--loop goes neither with --dry-run nor with --json.")
        if not options["dry_run"] and not settings.SAUTIKIT_API_KEY:
            raise CommandError("Set SAUTIKIT_API_KEY: without a key nobody is called.")
        if not options["dry_run"] and not settings.SAUTIKIT_NUMBER:
            raise CommandError("Set SAUTIKIT_NUMBER: calls are placed from it.")
        bound_queries()
        try:
            if options["dry_run"]:
                self._report(self._looked_at(options), options)
            elif options["loop"]:
                asyncio.run(self._loop(options))
            else:
                self._report(asyncio.run(self._once(options)), options)
        except ValueError as error:
            raise CommandError(f"DIAL_HOURS cannot be read: {error}") from error

    def _looked_at(self, options: dict[str, Any]) -> list[Planned]:
        now = placing.clock()
        found = [
            Planned(one, dialing.look(one, options["purpose"], now=now), None) for one in _named(options)
        ]
        if options["due"]:
            found += ringing_back.look(now=now, limit=options["limit"])
            found += dialing.look_at_due(now=now, limit=options["limit"])
        return found[: options["limit"]]

    def _plan(self, options: dict[str, Any]) -> list[Planned]:
        now = placing.clock()
        planned = [
            dialing.plan(one, options["purpose"], by="place_calls", now=now)
            for one in _named(options)[: options["limit"]]
        ]
        if options["due"]:
            for plan in (ringing_back.plan, dialing.plan_arrivals):
                limit = options["limit"]
                planned += (
                    plan(now=now, limit=limit and limit - len(planned)) if limit != len(planned) else []
                )
        return planned[: options["limit"]]

    async def _once(self, options: dict[str, Any]) -> list[Planned]:
        """Plan, and dial what is due now of it: with --due also what was due before."""
        planned = await run_db(self._plan, options)
        async with reach() as carrier:
            dialler = placing.Dialler(carrier, by=placing.name_of_this_process())
            with _stops(dialler):
                said: dict[int, Answer] = {}
                rows = [one.outbound.pk for one in planned if one.outbound and isinstance(one.answer, Now)]
                if options["due"]:
                    rows += [pk for pk in await run_db(_due, options["limit"]) if pk not in rows]
                rows = rows[: options["limit"]]
                for done, pk in enumerate(rows):
                    self._progress(done, len(rows), options)
                    if dialler.stopping.is_set():
                        break
                    answer = await dialler.place_planned(pk)
                    if answer is not None:
                        said[pk] = answer
                self._progress(len(rows), len(rows), options)
        return await run_db(_told, planned, said)

    async def _loop(self, options: dict[str, Any]) -> None:
        await run_db(self._plan, options)
        async with reach() as carrier:
            dialler = placing.Dialler(carrier, by=placing.name_of_this_process())
            with _stops(dialler):
                await dialler.run(arrivals=bool(options["due"]))

    def _progress(self, done: int, of: int, options: dict[str, Any]) -> None:
        if options["json"] or not of or not sys.stderr.isatty():
            return
        full = _BAR * done // of
        end = "\n" if done == of else ""
        self.stderr.write(f"\r[{'█' * full}{'·' * (_BAR - full)}] {done}/{of}", ending=end)

    def _report(self, planned: Sequence[Planned], options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps([_object(one) for one in planned], indent=2))
            return
        for one in planned:
            self.stdout.write(f"{one.shipment.tracking_id}  {_word(one)}  {one.answer.because}")
        if not planned:
            self.stdout.write("Nobody is to be called.")


class _stops:  # noqa: N801 - used as a verb
    """Let SIGINT and SIGTERM stop a dialler between two calls."""

    def __init__(self, dialler: placing.Dialler) -> None:
        self._dialler = dialler

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._dialler.stopping.set)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _named(options: dict[str, Any]) -> list[Shipment]:
    found = {}  # however often and in whatever spelling one is named
    for said in options["shipment"]:
        matching = list(Shipment.objects.by_said_id(said)[:2])
        if len(matching) != 1:
            raise CommandError(f"There is no parcel {said}.")
        found[matching[0].pk] = matching[0]
    return list(found.values())


def _due(limit: int | None) -> list[int]:
    return list(OutboundCall.objects.due(datetime.now(UTC)).values_list("pk", flat=True)[:limit])


def _told(planned: Sequence[Planned], said: dict[int, Answer]) -> list[Planned]:
    """Return what was planned and dialled as it stands after dialling, each call once."""
    known = {one.outbound.pk for one in planned if one.outbound}
    rows = {
        row.pk: row
        for row in OutboundCall.objects.select_related("shipment", "call").filter(pk__in=known | set(said))
    }
    told = []
    for one in planned:
        row = rows.get(one.outbound.pk) if one.outbound else None
        told.append(Planned(one.shipment, said.get(row.pk, one.answer) if row else one.answer, row))
    told += [Planned(rows[pk].shipment, said[pk], rows[pk]) for pk in said if pk not in known]
    return [Planned(one.shipment, _outcome(one), one.outbound) for one in told]


def _outcome(one: Planned) -> Answer:
    """Return what to say of a call that was let through: the platform may have had its own opinion."""
    row = one.outbound
    if row is None or not isinstance(one.answer, Now):
        return one.answer
    if row.state == DialState.PLANNED:
        return At(row.not_before, row.reason or "It is planned.")
    if row.state in (DialState.FAILED, DialState.UNKNOWN):
        return Now(row.reason or row.get_state_display())
    return one.answer


def _word(one: Planned) -> str:
    match one.answer:
        case Now():
            return "now  "
        case At(when):
            return f"at {spoken(when, one.shipment.zone)}"
        case Never():
            return "never"


def _object(one: Planned) -> dict[str, object]:
    row = one.outbound
    call = row.call if row is not None else None
    decision = {Now: "now", At: "at", Never: "never"}[type(one.answer)]
    return {
        "tracking_id": one.shipment.tracking_id,
        "decision": decision,
        "reason": one.answer.because,
        "at": one.answer.when.isoformat() if isinstance(one.answer, At) else None,
        "state": row.state if row is not None else None,
        "call": call.public_id if call is not None else None,
    }
