"""Move a parcel for one of the courier's own systems, by the telephone's rules."""

from datetime import datetime

from django.db import IntegrityError, transaction

from shipments.clients import ApiClient
from shipments.errors import AlreadyWaitingError, StaleFormError
from shipments.history import scoped
from shipments.models import DeliveryChange, Shipment
from shipments.plans import Asker, another_day, carry_out_or_ask
from shipments.rules import POLICY, change_route
from shipments.statuses import Source
from shipments.telling import parcel_of
from shipments.windows import chosen_slot


def reschedule_for(
    client: ApiClient,
    shipment: Shipment,
    *,
    day: str,
    window: str | None,
    request_id: str,
    version: int | None,
    now: datetime,
) -> DeliveryChange:
    """Move a client's parcel to the window nearest to what it names; asked again, it happened once.

    `version` refuses what was decided on before the parcel's last change.

    Raises:
        ShipmentError: the parcel may not be moved, was changed since, or that time cannot be had.
    """
    asker = Asker(client.actor, "its sender", Source.CARRIER)
    key = scoped("api", str(client.pk), str(shipment.pk), request_id)
    try:
        with transaction.atomic():
            # One wish after the other.
            Shipment.objects.filter(pk=shipment.pk).locked().first()
            done = DeliveryChange.objects.select_related("slot__depot").filter(idempotency_key=key).first()
            if done is not None:
                return done
            current = Shipment.objects.for_telling().get(pk=shipment.pk)
            if version is not None and current.version != version:
                raise StaleFormError
            change_route(parcel_of(current), POLICY)
            slot = chosen_slot(current, day, window, now)
            plan = another_day(current, slot, now)
            return carry_out_or_ask(current, plan, asker=asker, key=key, now=now)
    except IntegrityError as error:  # a call's wish for this parcel came to wait for approval first
        raise AlreadyWaitingError from error
