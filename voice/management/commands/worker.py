"""Run the periodic jobs."""

import logging
import os
import signal
import socket
import threading
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from voice import periodic
from voice.orm import bound_queries

logger = logging.getLogger(__name__)

_LOOK_S = 1.0


class Command(BaseCommand):
    """Run every job when it is due, until told to stop; several workers share the jobs."""

    help = "Run the periodic jobs until SIGTERM. Several copies may run: each job runs in one at a time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--once", action="store_true", help="run what is due, and leave")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look every second for what is due; a signal lets the job that runs end first."""
        bound_queries()
        stopped = threading.Event()
        if not options["once"]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopped.set())
        holder = f"{socket.gethostname()[:40]}:{os.getpid()}"
        while True:
            close_old_connections()
            try:
                periodic.run_due(holder, lambda: datetime.now(UTC))
            except DatabaseError:
                logger.warning("the jobs wait: the database does not answer")
            if options["once"] or stopped.wait(_LOOK_S):
                return
