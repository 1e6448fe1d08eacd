"""Tell the rest of the product what was decided about a parcel, once it is committed."""

from django.dispatch import Signal

shipment_changed = Signal()
"""Sent with `shipment_id`, `change_ref` (or "") and `call_public_id` (or "")."""
