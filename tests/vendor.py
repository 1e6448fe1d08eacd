"""What the vendor's own types make of a frame (gemini-live.md §4)."""

from collections.abc import Mapping
from typing import Any

from google.genai import types

from voice.sandbox.shapes import camel

MODEL = "gemini-3.8-live"
INSTRUCTION = "You answer a courier's telephone."
TRACK = {
    "name": "track_shipment",
    "description": "Tells where a parcel is.",
    "behavior": "BLOCKING",
    "parameters": {
        "type": "OBJECT",
        "properties": {"tracking_id": {"type": "STRING", "description": "As the caller said it."}},
        "required": ["tracking_id"],
    },
}


def read_by_vendor(message):
    """Read a server frame with the vendor's types, which know one name otherwise than it is sent."""
    if "voiceActivity" in message:
        message["voiceActivity"]["voiceActivityType"] = message["voiceActivity"].pop("type")
    types.LiveServerMessage.model_validate(message)


def taken_by_vendor(message):
    """Read a client frame with the vendor's types, one field apart, as they lack it."""
    assert "mediaChunks" not in str(message)
    config = message.get("setup", {}).pop("realtimeInputConfig", None)
    if config is not None:
        types.RealtimeInputConfig.model_validate(config)
    types.LiveClientMessage.model_validate(message)


def spelled(value: Any) -> Any:
    """Return a frame with every name in camelCase and nothing that is not set."""
    match value:
        case Mapping():
            return {
                name if "_id" in name else camel(name): spelled(one)
                for name, one in value.items()
                if one is not None
            }
        case list():
            return [spelled(one) for one in value]
        case _:
            return value
