"""Show the courier's systems their parcels, and take from them what they know of them."""

from typing import Any, ClassVar

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from shipments.api.access import client_in
from shipments.api.edge import ClientView, filters, page
from shipments.api.shapes import HistoryOut, ParcelFilters, ParcelOut
from shipments.clients import ApiClient, Scope
from shipments.errors import ParcelUnknownError
from shipments.models import Shipment, ShipmentQuerySet

_SAME = {"status": "status", "phone": "phone", "depot": "depot__name"}
_SINCE = {"created_since": "created_at__gte", "updated_since": "updated_at__gte"}


class ParcelsView(ClientView):
    """The parcels of a client."""

    scopes: ClassVar = {"GET": Scope.SHIPMENTS_READ}

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


class ParcelView(ClientView):
    """One parcel."""

    scopes: ClassVar = {"GET": Scope.SHIPMENTS_READ}

    def get(self, request: Request, tracking_id: str) -> Response:
        """Return a parcel with its history."""
        client = client_in(request)
        return Response(HistoryOut(parcel_of(client, tracking_id), context=seen(client)).data)


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
