"""Show dispatchers the parcels, what happened to them and what was asked for.

Parcels and their history are for reading: what changes them goes through the verbs, which count versions
and write the history. What a dispatcher keeps up himself are depots, their windows and the riders.
"""

from shipments.admin import (  # noqa: F401 # registered by being imported
    changes,
    clients,
    depots,
    files,
    messages,
    people,
    riders,
    webhooks,
)
from shipments.admin.parcels import ShipmentAdmin

__all__ = ["ShipmentAdmin"]
