"""Run the production server."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from courier import serve
from courier.drain import Deadlines
from voice.checks import serve_refusals
from voice.orm import bound_queries
from voice.spool import SPOOL


class Command(BaseCommand):
    """Serve pages, webhooks and calls; on SIGTERM let the running calls end."""

    help = "Run the production server (uvicorn). On SIGTERM no new call is taken and running ones end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse an unsafe configuration, else serve until told to stop."""
        if refusals := serve_refusals():
            raise CommandError("\n".join(f"{found.id}: {found.msg} ({found.hint})" for found in refusals))
        bound_queries()
        # After the goodbye a tool that runs is waited for, then the caller is hung up on and the end written.
        after_s = settings.TOOL_TIMEOUT_S + settings.HANG_UP_S + settings.TELEPHONE_CLOSE_S
        goodbye_s = settings.CALL_GOODBYE_S + after_s + settings.CALL_WRITE_S
        deadlines = Deadlines(settings.DRAIN_S, goodbye_s, settings.DRAIN_AGAIN_S)
        serve.run(options["host"], options["port"], deadlines)
        if SPOOL.waiting:
            raise CommandError(f"{SPOOL.waiting} records are lost: the database did not take them in time.")
