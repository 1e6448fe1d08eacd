"""Tell the telephone platform where to reach us."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from voice import access
from voice.carrier import reach
from voice.errors import RemoteError


class Command(BaseCommand):
    """Print a number's addresses, which hold secrets, and set them at the platform if told to."""

    help = (
        "Print the addresses that a number's calls and events are to be posted to; with --apply set them at "
        "the telephone platform. They hold secrets: whoever knows them can pose as the platform."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "number_id", nargs="?", default="", metavar="ID", help="the platform's id of the number"
        )
        parser.add_argument("--apply", action="store_true", help="set them at the platform")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print, and set what is to be set."""
        if not any(settings.SAUTIKIT_ROUTING_SECRETS):
            raise CommandError("Set SAUTIKIT_ROUTING_SECRETS: the address of calls is made of it.")
        calls, events = access.voice_address(), access.events_address()
        self.stdout.write(f"calls   {calls}")
        self.stdout.write(f"events  {events or 'none: set SAUTIKIT_EVENTS_SECRETS to have them'}")
        if options["apply"]:
            self._apply(options["number_id"], calls, events)

    def _apply(self, number_id: str, calls: str, events: str) -> None:
        if not number_id:
            raise CommandError("Say which number: its id is on the platform's page about it.")
        if not settings.SAUTIKIT_API_KEY:
            raise CommandError("Set SAUTIKIT_API_KEY: without a key nothing is set.")
        try:
            asyncio.run(_route(number_id, calls, events))
        except RemoteError as error:
            raise CommandError(f"Nothing is known to be set: {error}.") from error
        self.stdout.write(f"set at {settings.SAUTIKIT_BASE_URL}")


async def _route(number_id: str, calls: str, events: str) -> None:
    async with reach() as platform:
        await platform.route(number_id, calls, events, method=settings.SAUTIKIT_ROUTING_METHOD)
