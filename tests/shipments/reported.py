"""Report what a driver does, in the two steps that it takes."""

from shipments import round_reports, scans
from shipments.audit import AuditEntry
from shipments.intake import Sender
from shipments.models import Shipment, TrackingEvent
from shipments.riders import Stop
from shipments.scans import Scan
from shipments.statuses import Source, Status
from tests.shipments.builders import CALL, NOW
from tests.shipments.test_rounds import at_wheel


def attempted(driver, position=1, reason="not_home", call=CALL, key="attempt") -> str:
    """Have an attempt read back; return its reference."""
    return str(round_reports.report_attempt(at_wheel(driver, call), position, reason, key)["change_id"])


def late(driver, minutes=20, call=CALL, key="late") -> str:
    return str(round_reports.running_late(at_wheel(driver, call), minutes, key)["change_id"])


def agreed(driver, ref, call=CALL, now=NOW) -> dict[str, object]:
    return round_reports.confirm(at_wheel(driver, call, now), ref)


def is_untouched() -> bool:
    """Tell whether nothing of any parcel or stop was changed or written."""
    return not (
        Shipment.objects.filter(version__gt=1).exists()
        or Shipment.objects.filter(attempts__gt=0).exists()
        or Stop.objects.exclude(done_at=None).exists()
        or TrackingEvent.objects.filter(source=Source.RIDER).exists()
        or AuditEntry.objects.exists()
    )


def delivered(stop: Stop) -> None:
    sender = Sender("api courier", Source.CARRIER)
    scans.report(shipment_id=stop.shipment_id, scan=Scan(Status.DELIVERED, NOW), sender=sender, now=NOW)
