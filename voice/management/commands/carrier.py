"""Run the fake carrier on its own, so that a deployment without a telephone can place and end calls."""

import asyncio
import logging
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from voice.access import voice_address
from voice.sandbox.callees import by_suffix
from voice.sandbox.carrier import FakeCarrier
from voice.sandbox.hooks import Manners


class Command(BaseCommand):
    """Serve the telephone platform's REST interface, and ring whom the number stands for."""

    help = (
        "Run a fake telephone platform: point SAUTIKIT_BASE_URL at it, and calls that the deployment places "
        "ring a person who listens until the agent falls silent; a number that ends in 71 is busy, in 72 "
        "nobody is there, and in 73 is a voicemail. Its key is SAUTIKIT_API_KEY."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8900)
        parser.add_argument("--url", default="", help="the voice webhook (default: of PUBLIC_URL)")
        parser.add_argument("--events", default="", metavar="URL", help="where events go (default: nowhere)")
        parser.add_argument("--flip", action="store_true", help="name the caller as the called, and back")
        parser.add_argument("--late", type=float, default=0.0, metavar="S", help="send events so much later")
        parser.add_argument("--twice", action="store_true", help="send every event twice")
        parser.add_argument("--backwards", action="store_true", help="send a call's last event first")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until interrupted."""
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        try:
            asyncio.run(self._serve(options))
        except KeyboardInterrupt:
            self.stdout.write("carrier stopped")
        except OSError as error:
            raise CommandError(f"cannot listen: {error.strerror or error}") from error

    async def _serve(self, options: dict[str, Any]) -> None:
        carrier = FakeCarrier(
            options["url"] or voice_address(),
            api_key=settings.SAUTIKIT_API_KEY or "sandbox-key",
            manners=Manners(
                flipped=options["flip"],
                events_late_s=options["late"],
                events_twice=options["twice"],
                events_backwards=options["backwards"],
            ),
            callee=by_suffix,
            events_url=options["events"],
            signing_secret=next(iter(settings.SAUTIKIT_SIGNING_SECRETS), ""),
            host=options["host"],
            port=options["port"],
        )
        async with carrier:
            self.stdout.write(f"carrier at {carrier.base_url}")
            self.stdout.flush()
            await asyncio.Future()
