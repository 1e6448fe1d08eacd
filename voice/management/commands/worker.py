"""Run the periodic jobs."""

import os
import signal
import socket
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from voice import database_clock, periodic
from voice.jobs import jobs
from voice.orm import bound_queries


class Command(BaseCommand):
    """Run every job when it is due, until told to stop; several workers share the jobs."""

    help = "Run the periodic jobs until SIGTERM. Several copies may run: each job runs in one at a time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--once", action="store_true", help="run what is due, say what it did, and leave")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say which jobs there are and run them; a signal lets those that run end first."""
        bound_queries()
        holder = f"{socket.gethostname()[:40]}:{os.getpid()}"
        table = jobs()
        if options["once"]:
            for job in table:
                done = periodic.run_due(job, holder, database_clock.now)
                self.stdout.write(f"{job.name}: {'not now' if done is None else done}")
            return
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        self.stdout.write(f"worker runs: {', '.join(job.name for job in table)}")
        self.stdout.flush()
        periodic.run_until(stopped, table, holder, database_clock.now)
