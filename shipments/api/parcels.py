"""Show the courier's systems their parcels, and take from them what they know of them."""

from collections import Counter
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_200_OK, HTTP_201_CREATED

from shipments import wording
from shipments.api.access import client_in
from shipments.api.describe import described
from shipments.api.edge import BULK_BYTES, ClientView, filters, page, read
from shipments.api.shapes import (
    Batch,
    BatchOut,
    BatchShape,
    HistoryOut,
    ParcelFilters,
    ParcelOut,
    ParcelPage,
    ScanIn,
    ScanOut,
    WishIn,
    WishOut,
)
from shipments.clients import ApiClient, Scope
from shipments.errors import ParcelUnknownError
from shipments.intake import Result, Sender, book, upsert
from shipments.manifest import ParcelIn, read_rows
from shipments.models import DeliveryChange, Shipment, ShipmentQuerySet
from shipments.moving import reschedule_for
from shipments.scans import Scan, report
from shipments.statuses import ChangeState, Source, Status

_SAME = {"status": "status", "phone": "phone", "depot": "depot__name"}
_SINCE = {"created_since": "created_at__gte", "updated_since": "updated_at__gte"}


class ParcelsView(ClientView):
    """The parcels of a client."""

    scopes: ClassVar = {"GET": Scope.SHIPMENTS_READ, "POST": Scope.SHIPMENTS_WRITE}

    @described("list_parcels", {200: ParcelPage}, filters=ParcelFilters)
    def get(self, request: Request) -> Response:
        """Return a page of parcels."""
        client, asked = client_in(request), filters(ParcelFilters, request)
        if "phone" in asked and not client.may([Scope.NUMBERS_READ]):
            raise PermissionDenied("Looking for a number needs numbers:read.")
        names = _SAME | _SINCE
        rows = parcels_of(client).filter(**{names[name]: asked[name] for name in names if name in asked})
        found, following = page(rows, asked)
        return Response(
            {"results": ParcelOut(found, many=True, context=seen(client)).data, "next": following}
        )

    @described("book_parcel", {200: ParcelOut, 201: ParcelOut}, takes=ParcelIn, refuses=(409,))
    def post(self, request: Request) -> Response:
        """Take a new parcel in: 201, or 200 when the same was sent before."""
        client = client_in(request)
        [row] = read_rows([(1, request.data)], shipper=client.shipper)
        result = book(row, sender=sender_of(client), now=timezone.now())
        shown = ParcelOut(parcel_of(client, row.tracking_id), context=seen(client)).data
        return Response(shown, status=HTTP_201_CREATED if result is Result.CREATED else HTTP_200_OK)


class ParcelBatchView(ClientView):
    """A thousand parcels at once."""

    scopes: ClassVar = {"POST": Scope.SHIPMENTS_WRITE}
    body_bytes = BULK_BYTES

    @described("upsert_parcels", {200: BatchOut}, takes=BatchShape)
    def post(self, request: Request) -> Response:
        """Take new parcels in and bring known ones up to date: all of them or none."""
        client = client_in(request)
        sent = read(Batch, request.data)["shipments"]
        rows = read_rows(enumerate(sent, start=1), shipper=client.shipper)
        taken = upsert(rows, sender=sender_of(client), now=timezone.now())
        results = [
            {
                "row": one.row.number,
                "tracking_id": one.row.tracking_id,
                "result": one.result.value,
                "kept": list(one.kept),
            }
            for one in taken
        ]
        counts = Counter(one.result for one in taken)
        return Response({result.value: counts[result] for result in Result} | {"results": results})


class ParcelView(ClientView):
    """One parcel."""

    scopes: ClassVar = {"GET": Scope.SHIPMENTS_READ}

    @described("show_parcel", {200: HistoryOut}, path="tracking_id")
    def get(self, request: Request, tracking_id: str) -> Response:
        """Return a parcel with its history."""
        client = client_in(request)
        return Response(HistoryOut(parcel_of(client, tracking_id), context=seen(client)).data)


class StatusView(ClientView):
    """Where a parcel is."""

    scopes: ClassVar = {"PATCH": Scope.SHIPMENTS_WRITE}

    @described("report_status", {200: ScanOut}, takes=ScanIn, path="tracking_id", refuses=(409,))
    def patch(self, request: Request, tracking_id: str) -> Response:
        """Take in what was seen of a parcel; what is told late is kept, and moves it back never."""
        client = client_in(request)
        shipment = parcel_of(client, tracking_id)
        told = read(ScanIn, request.data)
        scan = Scan(**told | {"status": Status(told["status"])})
        effect = report(shipment_id=shipment.pk, scan=scan, sender=sender_of(client), now=timezone.now())
        shown = ParcelOut(parcel_of(client, tracking_id), context=seen(client)).data
        return Response({"effect": effect.value, "parcel": shown})


class RescheduleView(ClientView):
    """Another day for a parcel."""

    scopes: ClassVar = {"POST": Scope.SHIPMENTS_WRITE}

    @described("reschedule", {200: WishOut}, takes=WishIn, path="tracking_id", refuses=(409,))
    def post(self, request: Request, tracking_id: str) -> Response:
        """Move a parcel by the rules of the telephone, or ask a dispatcher where they leave it to one."""
        client = client_in(request)
        shipment = parcel_of(client, tracking_id)
        wish = read(WishIn, request.data)
        change = reschedule_for(client, shipment, **wish, now=timezone.now())
        return Response(WishOut(_outcome(change, shipment)).data)


def _outcome(change: DeliveryChange, shipment: Shipment) -> dict[str, object]:
    start, end = change.requested_start, change.requested_end
    when = wording.slot(start, end, shipment.zone) if start and end else ""
    waits = change.state == ChangeState.NEEDS_APPROVAL
    return {
        "change": change.ref,
        "state": change.state,
        "window_start": start,
        "window_end": end,
        "sentence": f"A dispatcher decides on {when}; until then the parcel stays as planned."
        if waits
        else f"The parcel comes {when}.",
    }


class NowhereView(ClientView):
    """Every other address: answered in the same shape as what is there."""

    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Say that nothing is here, once it is known who asks."""
        super().initial(request, *args, **kwargs)
        raise NotFound("There is nothing at this address.")


def sender_of(client: ApiClient) -> Sender:
    """Return a client as the history and the audit name it."""
    return Sender(client.actor, Source.CARRIER, client.shipper)


def parcels_of(client: ApiClient) -> ShipmentQuerySet:
    """Return the parcels that a client may see, with all that is shown of them."""
    return client.within_reach(Shipment.objects.for_telling())


def parcel_of(client: ApiClient, tracking_id: str) -> Shipment:
    """Return one of a client's parcels.

    Raises:
        ParcelUnknownError: there is none, or it is another shipper's.
    """
    found = parcels_of(client).filter(tracking_id=tracking_id).first()
    if found is None:
        raise ParcelUnknownError
    return found


def seen(client: ApiClient) -> dict[str, Any]:
    """Return what decides how much of a parcel is shown."""
    return {"numbers": client.may([Scope.NUMBERS_READ])}
