"""Read the XML that answers a voice webhook, as the carrier's PBX does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_STREAM_ATTRIBUTES = frozenset(
    {
        "url",
        "track",
        "connect",
        "outputSamplingRate",
        "inputSamplingRate",
        "bidirectionalSamplingRate",
        "name",
        "headerMetadata",
        "openMetadata",
        "statusCallback",
        "statusEvents",
    }
)
_OPAQUE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")


@dataclass(frozen=True, slots=True)
class Verb:
    """One action of an answer."""

    name: str
    attributes: Mapping[str, str]
    text: str


def verbs(answer: str) -> list[Verb]:
    """Return the actions of an answer, in order.

    Raises:
        ValueError: it is not such a document.
    """
    try:
        root = ET.fromstring(answer)  # noqa: S314 - our own server's answer
    except ET.ParseError as error:
        raise ValueError(f"the answer is not XML: {error}") from error
    if root.tag != "Response":
        raise ValueError(f"the answer's root is {root.tag}")
    return [Verb(verb.tag, dict(verb.attrib), verb.text or "") for verb in root]


def stream_faults(verb: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with a Stream; the platform passes it on unseen, and the PBX fails silently."""
    for name in verb.keys() - _STREAM_ATTRIBUTES:
        yield f"Stream has an attribute that nobody knows: {name}"
    if verb.get("connect") != "true":
        yield "Stream does not hold the leg: connect is not true"
    for name in ("outputSamplingRate", "bidirectionalSamplingRate"):
        if verb.get(name) != "16000":
            yield f"Stream's {name} is {verb.get(name)}, only 16000 is known to work"
    if not set(verb.get("openMetadata", "")) <= _OPAQUE:
        yield "Stream's openMetadata has characters that do not survive the PBX's command line"
    if len(verb.get("url", "")) > 4096:
        yield "Stream's url is too long"
