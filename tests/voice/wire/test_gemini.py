"""What the model's frames mean, and what ours look like."""

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.errors import RemoteProtocolError
from voice.wire import gemini
from voice.wire.models import capabilities

KEYS = [
    *("serverContent", "modelTurn", "parts", "inlineData", "toolCall", "functionCalls", "id", "ids"),
    *("goAway", "timeLeft", "usageMetadata", "toolCallCancellation", "interrupted", "voiceActivity", "type"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)


def speech(pcm: bytes, kind: str = "audio/pcm;rate=24000") -> dict:
    """Return a part with audio."""
    return {"inlineData": {"mimeType": kind, "data": base64.b64encode(pcm).decode()}}


def test_a_frame_may_be_text_or_binary():
    assert gemini.decode('{"setupComplete":{}}') == gemini.decode(b'{"setupComplete":{}}')


def test_all_parts_of_a_frame_are_heard():
    parts = [speech(b"ab"), {"text": "thinking", "thought": True}, speech(b"cd"), speech(b"e", "audio/pcm")]

    events = gemini.decode(json.dumps({"serverContent": {"modelTurn": {"parts": parts}}}))

    assert events == [gemini.Audio(b"ab", 24_000), gemini.Audio(b"cd", 24_000), gemini.Audio(b"e", 24_000)]


def test_t2_the_rate_is_the_one_that_the_frame_declares():
    frame = {"serverContent": {"modelTurn": {"parts": [speech(b"ab", "audio/pcm;rate=16000;channels=1")]}}}

    assert gemini.decode(json.dumps(frame)) == [gemini.Audio(b"ab", 16_000)]


def test_a_full_frame_is_acted_on_in_the_documented_order():
    frame = {
        "serverContent": {
            "turnComplete": True,
            "turnCompleteReason": "NEED_MORE_INPUT",
            "generationComplete": True,
            "outputTranscription": {"text": "On its way."},
            "inputTranscription": {"text": "Where is it?"},
            "modelTurn": {"parts": [speech(b"ab")]},
            "interrupted": True,
        },
        "toolCallCancellation": {"ids": ["c0"]},
        "toolCall": {"functionCalls": [{"id": "c1", "name": "track_shipment", "args": {"tracking_id": "K"}}]},
        "goAway": {"timeLeft": "0.5s"},
        "usageMetadata": {"totalTokenCount": 3},
        "sessionResumptionUpdate": {"newHandle": "h", "resumable": True},
        "somethingNew": {},
    }

    assert gemini.decode(json.dumps(frame)) == [
        gemini.Handle("h", resumable=True),
        gemini.Usage({"totalTokenCount": 3}),
        gemini.GoAway(0.5),
        gemini.Interrupted(),
        gemini.Audio(b"ab", 24_000),
        gemini.CallerSaid("Where is it?"),
        gemini.AgentSaid("On its way."),
        gemini.ToolCall("c1", "track_shipment", {"tracking_id": "K"}),
        gemini.ToolsCancelled(("c0",)),
        gemini.GenerationComplete(),
        gemini.TurnComplete("NEED_MORE_INPUT"),
    ]


def test_a_piece_of_transcript_has_a_longest_length():
    frame = {
        "serverContent": {
            "inputTranscription": {"text": "x" * 1_000_000},
            "outputTranscription": {"text": "y" * 1_000_000},
        }
    }

    said, told = gemini.decode(json.dumps(frame))

    assert said == gemini.CallerSaid("x" * 4_000)
    assert told == gemini.AgentSaid("y" * 4_000)


@pytest.mark.parametrize("frame", ["{}", '{"serverContent":{}}', '{"serverContent":null}', '{"toolCall":[]}'])
def test_an_empty_frame_says_nothing(frame):
    assert gemini.decode(frame) == []


@pytest.mark.parametrize("data", ["-_8=", "-_8", "+/8="])
def test_both_spellings_of_base64_are_read(data):
    frame = {
        "serverContent": {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm", "data": data}}]}}
    }

    assert gemini.decode(json.dumps(frame)) == [gemini.Audio(b"\xfb\xff", 24_000)]


@pytest.mark.parametrize("frame", ["", "nonsense", "[]", "1", b"\xff\xfe\x00", "[" * 5_000])
def test_what_is_no_object_is_an_error(frame):
    with pytest.raises(RemoteProtocolError):
        gemini.decode(frame)


@pytest.mark.parametrize("blob", [
    {"mimeType": "audio/pcm", "data": "?!"},
    {"mimeType": "audio/pcm;rate=0", "data": ""},
    {"mimeType": "audio/pcm;rate=999999999999", "data": ""},
    {"mimeType": "audio/pcm;rate=x", "data": ""},
])  # fmt: skip
def test_audio_that_cannot_be_played_is_an_error(blob):
    with pytest.raises(RemoteProtocolError):
        gemini.decode(json.dumps({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}}))


@given(JSON)
def test_whatever_comes_is_read_or_refused(value):
    with suppress(RemoteProtocolError):
        gemini.decode(json.dumps(value))


def test_t12_caller_audio_goes_as_audio_and_never_as_media_chunks():
    frame = json.loads(gemini.audio(b"\x01\x02"))

    assert frame == {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "AQI="}}}


def test_a_tool_answer_names_its_call():
    frame = json.loads(gemini.tool_response("c1", "track_shipment", {"status": "ok"}))

    assert frame["toolResponse"]["functionResponses"] == [
        {"id": "c1", "name": "track_shipment", "response": {"status": "ok"}}
    ]


TOOL = {"name": "track_shipment", "behavior": "BLOCKING", "parameters": {"type": "OBJECT"}}


@pytest.mark.parametrize(
    ("model", "behavior", "thinking"),
    [
        ("gemini-3.8-live", "BLOCKING", None),
        ("models/gemini-3.8-live-002", "BLOCKING", None),
        ("gemini-3.8-live-extended-thinking", None, {"thinkingLevel": "LOW"}),
        ("gemini-3.1-flash-live-preview", None, None),
        ("something-of-tomorrow", None, None),
    ],
)
def test_a_setup_holds_nothing_that_its_model_refuses(model, behavior, thinking):
    start = json.loads(gemini.setup(gemini.Setup(model=model, instruction="Be kind.", tools=(TOOL,))))[
        "setup"
    ]

    assert start["model"].startswith("models/")
    assert start["generationConfig"].get("thinkingConfig") == thinking
    assert start["tools"][0]["functionDeclarations"][0].get("behavior") == behavior
    assert not {"proactivity", "explicitVadSignal", "transparent"} & set(start)


def test_an_unknown_model_has_the_least_abilities():
    assert capabilities("gemini-9") == capabilities("")
