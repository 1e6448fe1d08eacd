"""What the telephone platform sends is read, whatever it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.wire import sautikit
from voice.wire.sautikit import Edge

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(
    [
        "type",
        "event",
        "data",
        "dtmf",
        "mark",
        "duration",
        "headers",
        "metadata",
        "callSid",
        "name",
        "id",
        "digit",
    ]
)
KINDS = st.sampled_from(["dtmf", "mark", "playDone", "start", "json"])
FRAMES = st.dictionaries(NAMES, KINDS | JSON | st.dictionaries(NAMES, JSON), max_size=5)
LIVE = {
    "sessionId": "HD_1",
    "callerNumber": "+254700000001",
    "destinationNumber": "+254700000099",
    "clientDialedNumber": "+254700000098",
    "callSessionState": "Ringing",
    "direction": "Inbound",
    "isActive": "1",
    "clientRequestId": "r-1",
    "somethingNew": "passed over",
}


# Text frames


@pytest.mark.parametrize(
    ("frame", "ids"),
    [
        ({"callSid": "HD_1", "streamSid": "s"}, {"callSid": "HD_1", "streamSid": "s"}),
        ({"metadata": {"sessionId": "HD_1"}}, {"sessionId": "HD_1"}),
        ({"headers": {"call_id": "HD_1", "other": "x"}}, {"call_id": "HD_1"}),
        ({"event": "start", "call_sid": "HD_1"}, {"call_sid": "HD_1"}),
        ({"headers": {"callSid": "forged"}, "callSid": "HD_1"}, {"callSid": "HD_1"}),
        ({"metadata": "opaque", "headers": None, "callSid": ["HD_1"]}, {}),
        ({}, {}),
    ],
)
def test_ids_are_found_where_they_may_be(frame: dict[str, object], ids: dict[str, str]):
    assert sautikit.decode(json.dumps(frame)) == [sautikit.Metadata(ids)]


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ('{"event":"dtmf","dtmf":"2","duration":"1600"}', sautikit.Dtmf("2", 200)),
        ('{"event":"dtmf","streamSid":"s","dtmf":{"digit":"#"}}', sautikit.Dtmf("#", None)),
        ('{"event":"dtmf","dtmf":"12"}', sautikit.Unknown("dtmf")),
        ('{"event":"dtmf"}', sautikit.Unknown("dtmf")),
        ('{"type":"mark","data":{"name":"m","event":"cleared"}}', sautikit.Mark("m", "cleared")),
        ('{"event":"mark","mark":{"name":"m"}}', sautikit.Mark("m", "")),
        ('{"type":"playDone","data":{"id":"p"}}', sautikit.PlayDone("p")),
        ('{"type":"newThing"}', sautikit.Unknown("newThing")),
    ],
)
def test_known_kinds_are_read_in_both_shapes(frame: str, event: sautikit.Event):
    assert sautikit.decode(frame) == [event]


def test_glued_objects_are_taken_apart():
    frame = '{"callSid":"HD_1"} {"event":"dtmf","dtmf":"1"}'

    assert sautikit.decode(frame) == [sautikit.Metadata({"callSid": "HD_1"}), sautikit.Dtmf("1", None)]


@pytest.mark.parametrize(
    "frame", ["0abc123", "[1]", "null", "{", '{"a":' * 100_000, '{"a":' + "9" * 5000 + "}"]
)
def test_what_is_no_json_object_is_opaque(frame: str):
    assert sautikit.decode(frame) == [sautikit.Unknown("opaque")]


def test_opaque_text_glued_to_json_hides_nothing():
    assert sautikit.decode('abc{"callSid":"HD_1"}xyz') == [
        sautikit.Unknown("opaque"),
        sautikit.Metadata({"callSid": "HD_1"}),
        sautikit.Unknown("opaque"),
    ]


def test_an_empty_frame_says_nothing():
    assert sautikit.decode("") == sautikit.decode(" \n") == []


def test_a_frame_of_very_many_objects_is_not_read_to_its_end():
    assert len(sautikit.decode("{}" * 100_000)) <= 17


@given(st.text())
def test_decode_raises_for_no_text(text: str):
    sautikit.decode(text)
    sautikit.decode("{" + text)


@given(st.lists(FRAMES | JSON, max_size=3))
def test_decode_raises_for_no_json(documents: list[object]):
    sautikit.decode("".join(map(json.dumps, documents)))


def test_clear_is_the_text_that_the_module_knows():
    assert json.loads(sautikit.clear()) == {"type": "killAudio"}


# Webhooks


def test_a_live_webhook_is_read():
    webhook = sautikit.parse_webhook(LIVE)

    assert webhook == sautikit.Webhook(
        session_id="HD_1",
        caller="+254700000001",
        called="+254700000099",
        dialed="+254700000098",
        direction="inbound",
        edge=Edge.RINGING,
        is_active=True,
        duration_s=None,
        client_request_id="r-1",
        stream_sid="",
        digits="",
    )
    assert webhook.may_begin


def test_a_webhook_of_the_samples_family_is_read():
    webhook = sautikit.parse_webhook(
        {"From": "+254700000001", "To": "+254700000099", "CallId": "HD_1", "Digits": "2"}
    )

    assert (webhook.caller, webhook.called, webhook.session_id) == ("+254700000001", "+254700000099", "HD_1")
    assert (webhook.edge, webhook.is_active, webhook.digits) == (Edge.RINGING, None, "2")
    assert webhook.may_begin


@pytest.mark.parametrize(
    ("state", "edge"),
    [
        ("Ringing", Edge.RINGING),
        ("StreamStarted", Edge.STREAM_STARTED),
        ("stream-stopped", Edge.STREAM_STOPPED),
        ("stream-error", Edge.STREAM_STOPPED),
        ("Completed", Edge.COMPLETED),
        ("Hangup", Edge.COMPLETED),
        ("failed", Edge.FAILED),
        ("Busy", Edge.BUSY),
        ("no-answer", Edge.NO_ANSWER),
        ("NoAnswer", Edge.NO_ANSWER),
        ("DialCompleted", Edge.DIAL_COMPLETED),
        ("Answered", Edge.OTHER),
    ],
)
def test_every_edge_has_its_spelling(state: str, edge: Edge):
    webhook = sautikit.parse_webhook({"callSessionState": state})

    assert webhook.edge is edge
    assert webhook.may_begin is (edge in (Edge.RINGING, Edge.OTHER))


def test_a_stream_edge_is_read_from_its_own_field():
    webhook = sautikit.parse_webhook({"sessionId": "HD_1", "streamSid": "s", "streamEvent": "stream-started"})

    assert (webhook.edge, webhook.stream_sid) == (Edge.STREAM_STARTED, "s")


@pytest.mark.parametrize(
    "fields",
    [
        {"isActive": "0"},
        {"isActive": "0", "callSessionState": "Strange"},
        {"streamSid": "s", "callSessionState": "Strange"},
    ],
)
def test_a_call_that_is_over_or_has_its_stream_never_begins(fields: dict[str, object]):
    assert not sautikit.parse_webhook(fields).may_begin


def test_a_completed_edge_says_how_long_the_call_was():
    webhook = sautikit.parse_webhook({**LIVE, "callSessionState": "Completed", "durationInSeconds": "42"})

    assert webhook.duration_s == 42


@pytest.mark.parametrize("duration", ["-1", "nan", "inf", "1e99", "", "x", None, {}])
def test_an_absurd_duration_is_none(duration: object):
    assert sautikit.parse_webhook({"durationInSeconds": duration}).duration_s is None


def test_hostile_text_is_cut_and_cleaned():
    webhook = sautikit.parse_webhook({"callerNumber": "+254\x00700\ud800\u202e" + "1" * 10_000})

    assert webhook.caller.startswith("+2547001")
    assert len(webhook.caller) == 128


@given(st.dictionaries(st.sampled_from([*LIVE, "streamEvent", "durationInSeconds"]) | st.text(), JSON))
def test_parse_webhook_raises_for_nothing_and_its_text_can_be_stored(fields: dict[str, object]):
    webhook = sautikit.parse_webhook(fields)

    assert all(len(text) <= 128 for text in (webhook.caller, webhook.session_id, webhook.client_request_id))
    assert "\x00" not in webhook.caller.encode().decode()


# Events


@pytest.mark.parametrize(
    ("fields", "headers", "event_id", "kind"),
    [
        ({"kind": "call.completed", "event_id": "e1", "data": {"call_id": "c"}}, {}, "e1", "call.completed"),
        (
            {"event_kind": "recording.ready", "payload": {}},
            {"X-Sautikit-Event-Id": "e2"},
            "e2",
            "recording.ready",
        ),
        ({"sessionId": "HD_1", "callSessionState": "StreamStopped"}, {}, "", "StreamStopped"),
        ({}, {"X-Sautikit-Event": "call.started"}, "", "call.started"),
        ({}, {}, "", "unknown"),
    ],
)
def test_events_of_every_shape_are_read(
    fields: dict[str, object], headers: dict[str, str], event_id: str, kind: str
):
    event = sautikit.parse_event(fields, headers)

    assert (event.event_id, event.kind, event.payload) == (event_id, kind, fields)


@given(st.dictionaries(st.text(), JSON))
def test_a_payload_can_always_be_stored(fields: dict[str, object]):
    written = json.dumps(sautikit.parse_event(fields, {}).payload, allow_nan=False, ensure_ascii=False)

    assert b"\\u0000" not in written.encode()


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"streamEvent": "stream-started"}, "stream-started"),
        ({"event": "StreamStopped"}, "stream-stopped"),
        ({"status": "error"}, "stream-error"),
        ({"streamEvent": "stream-paused"}, "stream-paused"),
        ({}, ""),
    ],
)
def test_the_state_of_a_stream_is_read(fields: dict[str, object], event: str):
    assert sautikit.parse_stream_event(fields) == event
