"""The vendor's types and our server take every frame of ours, and would notice one that is wrong."""

import json

import pytest

from tests.vendor import INSTRUCTION, TRACK, taken_by_vendor
from voice.sandbox import strictness
from voice.wire import gemini


@pytest.mark.parametrize("model", [*strictness.MODELS, "gemini-9-live"])
@pytest.mark.parametrize("handle", ["", "a-handle"])
def test_the_vendors_types_take_our_setup_for_any_model(model, handle):
    taken_by_vendor(
        json.loads(
            gemini.setup(gemini.Setup(model=model, instruction=INSTRUCTION, tools=(TRACK,), handle=handle))
        )
    )


@pytest.mark.parametrize(
    "frame",
    [
        gemini.audio(bytes(range(256)) * 5),
        gemini.text("Greet the caller."),
        gemini.client_content([("user", "Where is it?"), ("model", "In Nairobi.")], complete=False),
        gemini.tool_response("c1", "track_shipment", {"status": "ok"}),
        gemini.tool_response("c1", "track_shipment", {"status": "ok"}, "WHEN_IDLE"),
    ],
)
def test_the_vendors_types_take_our_frames(frame):
    taken_by_vendor(json.loads(frame))


@pytest.mark.parametrize("model", strictness.MODELS)
def test_our_server_takes_our_setup_for_any_model(model):
    strict = strictness.Strictness()

    taken = strict.take(gemini.setup(gemini.Setup(model=model, instruction=INSTRUCTION, tools=(TRACK,))))

    assert isinstance(taken, strictness.Setup)
    assert not taken.mute


def test_the_vendors_types_would_notice_a_mistake():
    with pytest.raises(ValueError, match="extra_forbidden"):
        taken_by_vendor({"realtimeInput": {"sound": {}}})
    with pytest.raises(UserWarning, match="LOUD"):
        taken_by_vendor(
            {
                "setup": {
                    "realtimeInputConfig": {
                        "automaticActivityDetection": {"startOfSpeechSensitivity": "LOUD"}
                    }
                }
            }
        )
