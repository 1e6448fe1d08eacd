"""Price a call: what the carrier bills by the second, and what the model bills by the token; integers only.

Money is in hundredths of a Kenyan shilling and in millionths of a dollar. Both bills stay apart: they are
paid to different parties in different money. Rates carry dates; a call is priced by those of its day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Any

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one usage report by what they are billed as."""

    text_in: int = 0
    audio_in: int = 0
    text_out: int = 0
    audio_out: int = 0
    thoughts: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call cost, and the day of the rates that say so."""

    kes_minor: int
    usd_micros: int
    rates_date: date


def rates_of(table: Sequence[Mapping[str, Any]], day: date) -> Mapping[str, Any]:
    """Return the row in force on `day`: the last that is not after it, or the first of all."""
    ordered = sorted(table, key=lambda row: row["from"])
    in_force = [row for row in ordered if row["from"] <= day]
    return in_force[-1] if in_force else ordered[0]


def tokens_of(raw: Mapping[str, Any]) -> Tokens:
    """Return the tokens of a usage report (gemini-live.md §5.6); what no detail explains counts as audio.

    The details do not always add up to the totals, and the dearer reading errs on the safe side.
    """
    text_in, audio_in = _by_modality(raw, ("promptTokensDetails",), ("promptTokenCount",))
    # The second spelling is Vertex's.
    text_out, audio_out = _by_modality(
        raw,
        ("responseTokensDetails", "candidatesTokensDetails"),
        ("responseTokenCount", "candidatesTokenCount"),
    )
    return Tokens(
        text_in=text_in + _count(raw.get("toolUsePromptTokenCount")),
        audio_in=audio_in,
        text_out=text_out,
        audio_out=audio_out,
        thoughts=_count(raw.get("thoughtsTokenCount")),
        cached=_count(raw.get("cachedContentTokenCount")),
    )


def price(
    *,
    direction: str,
    seconds: float,
    tokens: Iterable[Tokens],
    rates: Mapping[str, Any],
) -> Bill:
    """Return what a call of so many seconds and these usage reports cost; fractions are rounded up once.

    The carrier bills each step that was begun: a step of 1 is by the second, of 60 by the minute.
    """
    per_minute: int = rates[f"{direction}_kes_minor_per_min"] + rates["stream_kes_minor_per_min"]
    step_s: int = rates["billed_by_s"]
    kes_minor = -(-ceil(max(0.0, seconds) / step_s) * step_s * per_minute // 60)
    micros = 0
    for one in tokens:
        micros += one.text_in * rates["text_in_usd_micros_per_million"]
        micros += one.audio_in * rates["audio_in_usd_micros_per_million"]
        micros += (one.text_out + one.thoughts) * rates["text_out_usd_micros_per_million"]
        micros += one.audio_out * rates["audio_out_usd_micros_per_million"]
    return Bill(kes_minor, -(-micros // _MILLION), rates["from"])


def _by_modality(
    raw: Mapping[str, Any], details: tuple[str, ...], totals: tuple[str, ...]
) -> tuple[int, int]:
    text = audio = 0
    rows = next((raw[name] for name in details if raw.get(name)), None)
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            count = _count(row.get("tokenCount"))
            text, audio = (text + count, audio) if row.get("modality") == "TEXT" else (text, audio + count)
    total = max(_count(raw.get(name)) for name in totals)
    return text, audio + max(0, total - text - audio)


def _count(value: object) -> int:
    return min(max(0, value), _MILLION * 100) if isinstance(value, int) and not isinstance(value, bool) else 0
