"""Write the answers that the telephone platform obeys: its voice actions, as XML.

The platform forwards them to its PBX unread, so a wrong attribute fails there without a word.
"""

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

STATUS_EVENTS = "stream-started stream-stopped stream-error"

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# It passes through a command line of the PBX, where quotes, bars and spaces are not safe.
_SAFE_METADATA = re.compile(r"[A-Za-z0-9._~-]*")


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream to ask for: where to, what of the call, and what to name it.

    `rate_hz` holds both ways. `open_metadata` comes back in the stream's first text, so it is an opaque
    id and never a telephone number.
    """

    url: str
    status_callback: str
    rate_hz: int
    track: str
    name: str
    open_metadata: str
    header_metadata: str = ""


def stream_response(stream: Stream) -> str:
    """Return the answer that connects the caller to a stream and holds the line while it lasts.

    Raises:
        ValueError: the open metadata has characters that do not survive the way.
    """
    if not _SAFE_METADATA.fullmatch(stream.open_metadata):
        raise ValueError("openMetadata may hold A-Z a-z 0-9 . _ ~ - only")
    attributes = {
        "url": stream.url,
        "track": stream.track,
        "connect": "true",  # without it the document ends at once, and the call with it
        "outputSamplingRate": str(stream.rate_hz),
        "bidirectionalSamplingRate": str(stream.rate_hz),
        "name": stream.name,
        "openMetadata": stream.open_metadata,
        "statusCallback": stream.status_callback,
        "statusEvents": STATUS_EVENTS,
    }
    if stream.header_metadata:
        attributes["headerMetadata"] = stream.header_metadata
    response = ET.Element("Response")
    ET.SubElement(response, "Stream", {key: _clean(value) for key, value in attributes.items()})
    return _written(response)


def apology_response(text: str) -> str:
    """Return the answer that says `text` to the caller and hangs up."""
    response = ET.Element("Response")
    ET.SubElement(response, "Say").text = _clean(text)
    ET.SubElement(response, "Hangup")
    return _written(response)


def dial_response(number: str, caller_id: str) -> str:
    """Return the answer that rings a person and puts him on the line; unproven behind a stream."""
    response = ET.Element("Response")
    ET.SubElement(response, "Dial", {"phoneNumbers": _clean(number), "callerId": _clean(caller_id)})
    return _written(response)


def conference_response(room: str) -> str:
    """Return the answer that puts who is on the line into a room, which a person may join; unproven.

    Raises:
        ValueError: the room's name has characters that do not survive the way.
    """
    if not room or not _SAFE_METADATA.fullmatch(room):
        raise ValueError("a room is named by A-Z a-z 0-9 . _ ~ - only")
    response = ET.Element("Response")
    ET.SubElement(response, "Conference", {"endOnExit": "true"}).text = room
    return _written(response)


def empty_response() -> str:
    """Return the answer that changes nothing: what every later moment of a call gets."""
    return _written(ET.Element("Response"))


def _written(response: ET.Element) -> str:
    written: bytes = ET.tostring(response, encoding="utf-8", xml_declaration=True)
    return written.decode()


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("", text)
