"""Tell the rest of the product what was decided about a parcel, once it is committed."""

from django.dispatch import Signal

shipment_changed = Signal()
"""Sent with `shipment_id`, `change_ref` (or ""), `call_public_id` (or "") and `source`: who says so."""

parcels_taken_in = Signal()
"""Sent with `shipment_ids`, once for all parcels that a system or a file brought together."""
