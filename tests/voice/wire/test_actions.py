"""The answers to the platform are XML that it can obey."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.wire import actions

STREAM = actions.Stream(
    url="wss://courier.example/audio/token",
    status_callback="https://courier.example/stream-status/other",
    rate_hz=16_000,
    track="inbound_track",
    name="courier-agent",
    open_metadata="0123456789abcdef",
)
XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r")
)


def parsed(written: str) -> ET.Element:
    assert written.startswith("<?xml")
    return ET.fromstring(written.encode())


def test_a_stream_has_exactly_these_attributes():
    response = parsed(actions.stream_response(STREAM))

    (stream,) = response
    assert (response.tag, stream.tag) == ("Response", "Stream")
    assert stream.attrib == {
        "url": "wss://courier.example/audio/token",
        "track": "inbound_track",
        "connect": "true",
        "outputSamplingRate": "16000",
        "bidirectionalSamplingRate": "16000",
        "name": "courier-agent",
        "openMetadata": "0123456789abcdef",
        "statusCallback": "https://courier.example/stream-status/other",
        "statusEvents": "stream-started stream-stopped stream-error",
    }


@given(XML_TEXT.filter(bool))
def test_any_header_metadata_survives(metadata: str):
    (stream,) = parsed(actions.stream_response(replace(STREAM, header_metadata=metadata)))

    assert stream.get("headerMetadata") == metadata


@given(st.text())
def test_any_text_is_written_as_xml(text: str):
    (stream,) = parsed(actions.stream_response(replace(STREAM, name=text, url=text)))
    say, hangup = parsed(actions.apology_response(text))

    assert stream.get("connect") == "true"
    assert (say.tag, hangup.tag) == ("Say", "Hangup")


@pytest.mark.parametrize("metadata", ["+254700000001", "a b", "a'b", "a|b", '{"a":1}', "a\n"])
def test_open_metadata_that_the_way_would_break_is_a_bug(metadata: str):
    with pytest.raises(ValueError, match="openMetadata"):
        actions.stream_response(replace(STREAM, open_metadata=metadata))


def test_an_apology_is_said_before_the_line_is_closed():
    response = parsed(actions.apology_response('Sorry: <"we" & \x00]]> all>'))

    assert [element.tag for element in response] == ["Say", "Hangup"]
    assert response[0].text == 'Sorry: <"we" & ]]> all>'


def test_an_empty_response_asks_for_nothing():
    response = parsed(actions.empty_response())

    assert (response.tag, list(response), response.attrib) == ("Response", [], {})


def test_a_person_may_be_rung_or_met_in_a_room():
    dial, room = parsed(actions.dial_response("+254700000001", "+254700000900")), "c_1"
    conference = parsed(actions.conference_response(room))

    assert [(one.tag, one.attrib) for one in dial] == [
        ("Dial", {"phoneNumbers": "+254700000001", "callerId": "+254700000900"})
    ]
    assert [(one.tag, one.text) for one in conference] == [("Conference", room)]


@pytest.mark.parametrize("room", ["", "a b", "a'b", "+254700000001"])
def test_a_room_whose_name_the_way_would_break_is_a_bug(room: str):
    with pytest.raises(ValueError, match="room"):
        actions.conference_response(room)
