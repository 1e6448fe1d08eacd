"""Say which view answers which address below /api/v1; none ends in a slash."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from shipments.api import parcels
from shipments.api.describe import TRACKING_ID


class TrackingIdConverter(StringConverter):
    """A tracking id as it may stand in an address."""

    regex = TRACKING_ID


register_converter(TrackingIdConverter, "tracking_id")

urlpatterns = [
    path("shipments", parcels.ParcelsView.as_view(), name="parcels"),
    path("shipments/bulk", parcels.ParcelBatchView.as_view(), name="parcel-batch"),
    path("shipments/<tracking_id:tracking_id>", parcels.ParcelView.as_view(), name="parcel"),
    path("shipments/<tracking_id:tracking_id>/status", parcels.StatusView.as_view(), name="parcel-status"),
    path(
        "shipments/<tracking_id:tracking_id>/reschedule", parcels.RescheduleView.as_view(), name="parcel-day"
    ),
]
