"""Close calls that nobody will end."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from voice import reconcile


class Command(BaseCommand):
    """Close calls whose process died, or whose end the carrier never told."""

    help = "Close calls without a heartbeat, and ask the carrier for those whose end it never told."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it once and say how many there were."""
        self.stdout.write(f"{reconcile.reconcile(datetime.now(UTC))} calls closed")
