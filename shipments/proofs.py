"""Try a delivery code on a parcel, or a shift PIN on a driver; each try is counted before it is looked at."""

from django.db.models import F

from shipments.models import Shipment
from shipments.riders import Driver
from shipments.rules import POLICY


def try_pin(shipment_id: int, code: str) -> bool:
    """Tell whether this is the parcel's delivery code; after too many wrong ones none is, until a new one.

    Wrong, spent, without a code and unknown answer alike.
    """
    # The place is taken first, so that tries made at once cannot all be the last one.
    counted = Shipment.objects.filter(pk=shipment_id, pin_failures__lt=POLICY.pin_failures).update(
        pin_failures=F("pin_failures") + 1
    )
    shipment = Shipment.objects.filter(pk=shipment_id).first() or Shipment()
    if not (shipment.is_pin(code) and counted):
        return False
    # Only for the code that was looked at: one set meanwhile has its own count.
    Shipment.objects.filter(pk=shipment_id, pin_seal=shipment.pin_seal).update(pin_failures=0)
    return True


def try_shift_pin(driver_id: int, code: str) -> bool:
    """Tell whether this is the PIN of a driver's shift that runs; after too many wrong ones none is.

    Wrong, spent, without a PIN, off shift and unknown answer alike.
    """
    counted = Driver.objects.filter(pk=driver_id, pin_failures__lt=POLICY.pin_failures).update(
        pin_failures=F("pin_failures") + 1
    )
    driver = Driver.objects.filter(pk=driver_id).first() or Driver()
    if not (driver.is_shift_pin(code) and counted):
        return False
    Driver.objects.filter(pk=driver_id, shift_pin_seal=driver.shift_pin_seal).update(pin_failures=0)
    return True
