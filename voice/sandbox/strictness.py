"""Judge what a client sends as the real service would: what it takes, and with which words it hangs up.

Pure: one `Strictness` a connection, a frame in, a message out. The vocabulary and the reasons are those
of gemini-live.md §2, §5.2 and §7; it shares nothing with our own client, so that neither can be wrong
for both.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voice.sandbox.shapes import ShapeError, camel, snake
from voice.sandbox.vocabulary import MESSAGES

INVALID = "Request contains an invalid argument."
KEY = "API key not valid. Please pass a valid API key."
SETUP_ONCE = "setup must be the first message and only the first"
MEDIA_CHUNKS = "realtime_input.media_chunks is deprecated. Use audio, video, or text instead."
MODALITIES = "The requested combination of response modalities ({}) is not supported by the model"
THINKING = "Thinking level is not supported for this model"
SCHEDULING = "Function response scheduling is not supported for this model"
NO_ENTITY = "Requested entity was not found."
INTERNAL = "Internal error encountered."
DEADLINE = "Deadline expired before operation could complete."
QUOTA = "You exceeded your current quota, please check your plan and billing details."

_REASON_BYTES = 123  # of a WebSocket's close frame


class Refused(Exception):  # noqa: N818 - what it is, not an error of ours
    """The service hangs up: a close code and its reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason.encode()[:_REASON_BYTES].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message, its names in camelCase; a `mute` one is never confirmed, as happens for real."""

    fields: Mapping[str, Any]
    mute: bool = False


@dataclass(frozen=True, slots=True)
class CallerAudio:
    """16-bit little-endian mono PCM of the caller."""

    pcm: bytes
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame of video, which a telephone has none of."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words that count as live input."""

    text: str


@dataclass(frozen=True, slots=True)
class Turns:
    """History, or a question when it is complete; role and words of each turn."""

    turns: tuple[tuple[str, str], ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ActivityMark:
    """The client says itself when the caller begins and stops to speak."""

    started: bool


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The client's microphone is off."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What one tool call came to."""

    id: str
    name: str
    response: Mapping[str, Any]
    scheduling: str = ""
    final: bool = True


@dataclass(frozen=True, slots=True)
class ToolAnswers:
    """What one or several tool calls came to."""

    answers: tuple[ToolAnswer, ...]


@dataclass(frozen=True, slots=True)
class ContextUpdate:
    """Another instruction or other tools, in camelCase, from now on."""

    fields: Mapping[str, Any]


Message = (
    Setup | CallerAudio | Picture | Words | Turns | ActivityMark | StreamEnd | ToolAnswers | ContextUpdate
)


_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_AUDIO_TYPE = re.compile(r"audio/(?:pcm|l16)(?:;\s*rate=(\d{4,6}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Model:
    """What one model takes (gemini-live.md §5.2)."""

    thinking: frozenset[str]  # the levels it may be given
    thinking_required: bool
    behaviors: frozenset[str]
    default_behavior: str
    scheduling: bool
    content_mid_session: bool
    proactive: bool  # takes `proactivity`; one that does not never confirms a setup that has it


MODELS: Mapping[str, Model] = {
    "gemini-3.8-live": Model(
        thinking=frozenset(),
        thinking_required=False,
        behaviors=frozenset({"BLOCKING", "NON_BLOCKING"}),
        default_behavior="NON_BLOCKING",
        scheduling=True,
        content_mid_session=True,
        proactive=True,
    ),
    "gemini-3.8-live-extended-thinking": Model(
        thinking=frozenset({"LOW", "MEDIUM", "HIGH"}),
        thinking_required=True,
        behaviors=frozenset({"NON_BLOCKING"}),
        default_behavior="NON_BLOCKING",
        scheduling=False,
        content_mid_session=True,
        proactive=False,
    ),
    "gemini-3.1-flash-live-preview": Model(
        thinking=frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH"}),
        thinking_required=False,
        behaviors=frozenset({"BLOCKING"}),
        default_behavior="BLOCKING",
        scheduling=False,
        content_mid_session=False,
        proactive=False,
    ),
}


class Strictness:
    """Follows one connection and judges each frame of it.

    Nothing but the setup may be sent until `confirmed` was called.
    """

    def __init__(self, version: str = "v1beta") -> None:
        self._version = version
        self._setup: Setup | None = None
        self._confirmed = False
        self._live_input = False
        self.model = MODELS["gemini-3.8-live"]
        self.behaviors: dict[str, str] = {}

    def confirmed(self) -> None:
        """Note that the setup was answered."""
        self._confirmed = True

    def take(self, frame: str | bytes) -> Message:
        """Return what a frame says.

        Raises:
            Refused: the connection is to be closed.
        """
        kind, body = self._read(frame)
        if (kind == "setup") is not (self._setup is None):
            raise Refused(1007, SETUP_ONCE)
        try:
            taken = MESSAGES[kind](body, snake(kind))
        except ShapeError as error:
            raise Refused(1007, str(error)) from error
        if kind == "setup":
            self._setup = self._begin(taken)
            return self._setup
        if not self._confirmed:
            raise Refused(1007, INVALID)
        match kind:
            case "realtimeInput":
                return self._live(taken)
            case "clientContent":
                return self._content(taken)
            case "toolResponse":
                return self._answers(taken)
            case _:
                self._declare(_declarations(taken.get("tools", {}).get("tools", [])))
                return ContextUpdate(taken)

    def _read(self, frame: str | bytes) -> tuple[str, Any]:
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError) as error:
            raise Refused(1007, "Invalid JSON payload received.") from error
        if isinstance(frame, bytes) or not isinstance(message, dict) or len(message) != 1:
            raise Refused(1007, INVALID)  # one object a frame, with one thing in it, as text
        ((name, body),) = message.items()
        kind = camel(name)
        if kind not in MESSAGES or name not in (kind, snake(kind)):
            raise Refused(
                1007, f"Invalid JSON payload received. Unknown name \"{name}\" at '': Cannot find field."
            )
        if not isinstance(body, dict):
            raise Refused(1007, INVALID)
        return kind, body

    # What a setup may hold

    def _begin(self, setup: Mapping[str, Any]) -> Setup:
        name = setup.get("model", "")
        model = MODELS.get(name.removeprefix("models/"))
        if model is None:
            raise Refused(
                1008,
                f"{name} is not found for API version {self._version}, "
                "or is not supported for bidiGenerateContent.",
            )
        self.model = model
        generation = setup.get("generationConfig", {})
        modalities = generation.get("responseModalities", ["AUDIO"])
        if modalities != ["AUDIO"]:
            raise Refused(1007, MODALITIES.format(", ".join(modalities)))
        self._check_thinking(generation)
        self._declare(_declarations(setup.get("tools", [])))
        _check_compression(setup.get("contextWindowCompression", {}))
        proactivity = setup.get("proactivity", {})
        if model.proactive and proactivity.get("proactiveAudio") is False:
            raise Refused(1007, INVALID)
        mute = "enableAffectiveDialog" in generation or ("proactivity" in setup and not model.proactive)
        return Setup(setup, mute)

    def _check_thinking(self, generation: Mapping[str, Any]) -> None:
        if "thinkingConfig" not in generation:
            if self.model.thinking_required:
                raise Refused(1007, INVALID)
            return
        level = generation["thinkingConfig"].get("thinkingLevel", "")
        if not self.model.thinking:
            raise Refused(1007, THINKING)
        if (level or self.model.thinking_required) and level not in self.model.thinking:
            raise Refused(1007, INVALID)

    def _declare(self, declarations: list[Mapping[str, Any]]) -> None:
        behaviors = {}
        for declared in declarations:
            name = declared.get("name", "")
            behavior = declared.get("behavior", self.model.default_behavior)
            if (
                not _FUNCTION_NAME.fullmatch(name)
                or name in behaviors
                or behavior not in self.model.behaviors
                or {"parameters", "parametersJsonSchema"} <= declared.keys()
                or {"response", "responseJsonSchema"} <= declared.keys()
            ):
                raise Refused(1007, INVALID)
            behaviors[name] = behavior
        self.behaviors |= behaviors

    # What may follow

    def _live(self, live: Mapping[str, Any]) -> Message:
        self._live_input = True
        if "mediaChunks" in live:
            raise Refused(1007, MEDIA_CHUNKS)
        if len(live) != 1:
            raise Refused(1007, INVALID)
        ((kind, value),) = live.items()
        match kind:
            case "audio":
                return _audio(value)
            case "text":
                return Words(value)
            case "video":
                return Picture()
            case "audioStreamEnd":
                return StreamEnd()
            case _:
                if not self._by_hand():
                    raise Refused(1007, INVALID)
                return ActivityMark(started=kind == "activityStart")

    def _by_hand(self) -> bool:
        config = self._setup.fields.get("realtimeInputConfig", {}) if self._setup else {}
        return config.get("automaticActivityDetection", {}).get("disabled") is True

    def _content(self, content: Mapping[str, Any]) -> Turns:
        if self._live_input and not self.model.content_mid_session:
            raise Refused(1007, INVALID)
        turns = []
        for turn in content.get("turns", []):
            if turn.get("role") not in ("user", "model"):
                raise Refused(1007, INVALID)
            turns.append((turn["role"], "".join(part.get("text", "") for part in turn.get("parts", []))))
        return Turns(tuple(turns), content.get("turnComplete", False))

    def _answers(self, answers: Mapping[str, Any]) -> ToolAnswers:
        taken = []
        for answer in answers.get("functionResponses", []):
            if not answer.get("id") or not answer.get("name") or "response" not in answer:
                raise Refused(1007, INVALID)
            scheduling = answer.get("scheduling", "")
            if scheduling and not self.model.scheduling:
                raise Refused(1007, SCHEDULING)
            final = not answer.get("willContinue", False)
            taken.append(ToolAnswer(answer["id"], answer["name"], answer["response"], scheduling, final))
        if not taken:
            raise Refused(1007, INVALID)
        return ToolAnswers(tuple(taken))


def _declarations(tools: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [declared for tool in tools for declared in tool.get("functionDeclarations", [])]


def _check_compression(compression: Mapping[str, Any]) -> None:
    trigger = compression.get("triggerTokens")
    target = compression.get("slidingWindow", {}).get("targetTokens")
    if trigger is not None and target is not None and not 0 < target < trigger:
        raise Refused(1007, INVALID)


def _audio(blob: Mapping[str, Any]) -> CallerAudio:
    kind = _AUDIO_TYPE.fullmatch(blob.get("mimeType", ""))
    if kind is None or "data" not in blob:
        raise Refused(1007, INVALID)
    rate_hz = int(kind[1] or 16_000)
    pcm = blob["data"]
    if not 8_000 <= rate_hz <= 48_000 or len(pcm) % 2:
        raise Refused(1007, INVALID)
    return CallerAudio(pcm, rate_hz)


def version_of(path: str) -> str | None:
    """Return the interface's version of a request's path, with its query; None is a path it has not."""
    known = re.fullmatch(
        r"/ws/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)\.GenerativeService\.BidiGenerateContent",
        path.partition("?")[0],
    )
    return known[1] if known else None
