"""Say what each voice model takes and refuses: one table, by model name.

A field that a model does not know is not ignored: it closes the connection with 1007, or setup is never
confirmed at all (gemini-live.md §5.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

PendingAudio = Literal["pass", "silence", "pause"]
"""The caller's audio while a tool runs: as it is, as silence, or not at all (gemini-live.md §6.4)."""
PENDING_AUDIO: tuple[str, ...] = get_args(PendingAudio)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What may be sent to a model; the defaults are the least that every one of them takes."""

    behaviors: frozenset[str] = frozenset()  # what a function declaration may say; empty: nothing at all
    scheduling: bool = False  # whether a tool's answer may say when it is to be spoken of
    thinking_level: str = ""  # sent when not empty
    content_mid_session: bool = False  # whether `clientContent` is taken after the start
    waits_for_tools: bool = True  # what a function is whose declaration may not say, or does not
    pending_audio: PendingAudio = "pass"  # what the model takes while it waits for a tool


CAPABILITIES: Mapping[str, Capabilities] = {
    "gemini-3.8-live-extended-thinking": Capabilities(
        behaviors=frozenset({"NON_BLOCKING"}),
        thinking_level="LOW",
        content_mid_session=True,
        waits_for_tools=False,
    ),
    "gemini-3.8-live": Capabilities(
        behaviors=frozenset({"BLOCKING", "NON_BLOCKING"}),
        scheduling=True,
        content_mid_session=True,
        waits_for_tools=False,
    ),
    "gemini-3.1-flash-live-preview": Capabilities(pending_audio="pause"),
}


def capabilities(model: str) -> Capabilities:
    """Return what `model` takes, by the longest prefix that is known; of an unknown one the least."""
    name = model.rsplit("/", 1)[-1]
    known = [prefix for prefix in CAPABILITIES if name.startswith(prefix)]
    return CAPABILITIES[max(known, key=len)] if known else Capabilities()
