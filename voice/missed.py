"""Ring those back who only let it ring: in many places that is how one asks for a call that costs nothing."""

from datetime import datetime

from django.conf import settings

from shipments import contacts
from shipments.models import Shipment
from voice import dialing
from voice.models import Call
from voice.statuses import Direction, Purpose


def note(call: Call, lasted_s: float, now: datetime) -> None:
    """Plan a call to whoever ended this one at once, if the courier rings back and a parcel has the number.

    Nobody is rung because of a number that anybody could have claimed, or that wants no calls.
    """
    if lasted_s >= settings.CALLBACK_MISSED_S or call.direction != Direction.INBOUND or call.is_test:
        return
    if not call.proof or contacts.has_opted_out(call.customer_number):
        return
    parcel = Shipment.objects.open_to(demo=False).recent_for(call.customer_number).first()
    if parcel is not None:
        dialing.plan(parcel, Purpose.CALLBACK, by="a missed call", now=now, asked_at=now)
