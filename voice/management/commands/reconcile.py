"""Close calls that nobody will end."""

from typing import Any

from django.core.management.base import BaseCommand

from voice import database_clock, reconcile


class Command(BaseCommand):
    """Close calls whose process died, or whose end the carrier never told."""

    help = "Close calls without a heartbeat, and ask the carrier for those whose end it never told."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it once and say how many there were."""
        self.stdout.write(f"{reconcile.reconcile(database_clock.now())} calls closed")
