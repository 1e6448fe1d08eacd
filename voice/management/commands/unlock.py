"""Let somebody log in again whose name was refused after too many wrong passwords."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from voice import quotas


class Command(BaseCommand):
    """Forget the wrong passwords of a name."""

    help = "Let somebody log in again whose name was refused after too many wrong passwords."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Forget them, and say whether there was need."""
        name = options["username"]
        if not quotas.log_ins_are_spent(name, timezone.now()):
            raise CommandError(f"Log-ins as {name} are not refused.")
        quotas.forget_log_ins(name)
        self.stdout.write(f"{name} may log in again.")
