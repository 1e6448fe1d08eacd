"""Count a conversation's tokens as the real service bills them (gemini-live.md §5.3); pure."""

from collections.abc import Mapping
from math import ceil
from typing import Any

_AUDIO_TOKENS_PER_S = 25
_LETTERS_PER_TOKEN = 4


class Tally:
    """The tokens of one conversation: what is in its context, and what the turn under way adds."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        compression = setup.get("contextWindowCompression", {})
        self._trigger = compression.get("triggerTokens", 104_857)
        self._target = compression.get("slidingWindow", {}).get("targetTokens", self._trigger // 2)
        written = f"{setup.get('systemInstruction', '')}{setup.get('tools', '')}"
        self._kept = ceil(len(written) / _LETTERS_PER_TOKEN)  # never compressed away
        self._text = 0
        self._audio_s = 0.0
        self._said_text = 0
        self._said_s = 0.0

    def heard(self, seconds: float) -> None:
        """Add speech of the caller."""
        self._audio_s += seconds

    def read(self, text: str) -> None:
        """Add what the client wrote."""
        self._text += ceil(len(text) / _LETTERS_PER_TOKEN)

    def said(self, seconds: float) -> None:
        """Add speech of the model's turn."""
        self._said_s += seconds

    def called(self, text: str) -> None:
        """Add a tool call, as it was written, to the model's turn."""
        self._said_text += ceil(len(text) / _LETTERS_PER_TOKEN)

    def turn(self) -> dict[str, object]:
        """Close the model's turn and return what it cost, as `usageMetadata`."""
        audio = ceil(self._audio_s * _AUDIO_TOKENS_PER_S)
        said = ceil(self._said_s * _AUDIO_TOKENS_PER_S)
        prompt = self._kept + self._text + audio
        response = said + self._said_text
        usage: dict[str, object] = {
            "promptTokenCount": prompt,
            "responseTokenCount": response,
            "totalTokenCount": prompt + response,
            "promptTokensDetails": _details(self._kept + self._text, audio),
            "responseTokensDetails": _details(self._said_text, said),
        }
        self._text += self._said_text
        self._audio_s += self._said_s
        self._said_text, self._said_s = 0, 0.0
        self._compress()
        return usage

    def _compress(self) -> None:
        tokens = self._text + self._audio_s * _AUDIO_TOKENS_PER_S
        if self._kept + tokens > self._trigger:
            left = max(0.0, self._target - self._kept) / tokens
            self._text = int(self._text * left)
            self._audio_s *= left


def _details(text: int, audio: int) -> list[dict[str, object]]:
    counts = {"TEXT": text, "AUDIO": audio}
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items() if count]
