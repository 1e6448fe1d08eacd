"""Find figures among the settings that no call can be taken, priced or ended with."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from voice.limits import Limits, Tuning, settings_of
from voice.statuses import DialOutcome

_POSITIVE = (
    "ADMISSION_CALLS",
    "ADMISSION_CALLS_PER_NUMBER",
    "ADMISSION_CALLS_PER_SECOND",
    "ADMISSION_LAG_GONE_S",
    "ADMISSION_LAG_S",
    "ADMISSION_MODEL_FAILURES",
    "API_PER_MINUTE",
    "OUTBOX_WAIT_S",
    "BILL_DAYS",
    "CALLBACK_WRITE_S",
    "CALLER_PROOF_S",
    "CALL_WRITE_S",
    "CLOCK_SKEW_S",
    "DATABASE_QUERY_S",
    "DIAL_BELOW_CALLS",
    "DRAIN_AGAIN_S",
    "DRAIN_S",
    "GEMINI_OPEN_S",
    "GEMINI_PINGS_QUICK",
    "GEMINI_PING_QUICK_S",
    "GEMINI_PING_S",
    "GEMINI_SILENT_S",
    "HEARTBEAT_S",
    "IDS_A_CALL",
    "IDS_A_DAY",
    "IDS_MISSED_AN_HOUR",
    "JOURNAL_EVERY_S",
    "JOURNAL_RECORDS",
    "LOG_IN_REFUSED_S",
    "LOG_IN_TRIES",
    "ORM_THREADS",
    "READY_WAIT_S",
    "RECONCILE_EVERY_S",
    "RECONCILE_S",
    "RING_LIMIT_S",
    "SAUTIKIT_ANSWER_S",
    "SAUTIKIT_CONNECT_S",
    "SIGNATURE_TOLERANCE_S",
    "SPOOL_AGAIN_S",
    "SPOOL_RECORDS",
    "STREAM_ACCEPT_S",
    "STREAM_TOKEN_S",
    "TOOL_CALLS_ALIKE",
    "TOOL_CALLS_A_CALL",
    "TOOL_CALLS_A_MINUTE",
    "TRIES_A_CALL",
    "TRIES_A_NUMBER",
    "TRIES_A_PARCEL",
    "WEBHOOK_WAIT_S",
)
_NOT_NEGATIVE = (
    "ADMISSION_KES_PER_DAY",
    "ADMISSION_MODEL_WAIT_S",
    "ADMISSION_USD_PER_CALL",
    "ADMISSION_USD_PER_DAY",
    "GREETING_SHIELD_S",
    "PLAYOUT_TAIL_MS",
    "GEMINI_VAD_PREFIX_MS",
    "GEMINI_VAD_SILENCE_MS",
)
_LIMITS = (*settings_of(Limits), *settings_of(Tuning))
RATES_OF_A_DAY = (
    "inbound_kes_minor_per_min",
    "outbound_kes_minor_per_min",
    "stream_kes_minor_per_min",
    "billed_by_s",
    "audio_in_usd_micros_per_million",
    "audio_out_usd_micros_per_million",
    "text_in_usd_micros_per_million",
    "text_out_usd_micros_per_million",
)
"""What each row of RATES says besides the day it begins."""


def rates() -> Iterator[CheckMessage]:
    """Yield what keeps a call from being priced."""
    faults = list(_faults_of_rates(settings.RATES))
    if faults:
        yield Error(
            f"RATES cannot price a call: {'; '.join(faults)}.",
            hint="A row has a day of its own in 'from', whole numbers from 0 up, and billed_by_s from 1.",
            id="voice.E005",
        )


def _faults_of_rates(rates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rates:
        yield "it has no row"
    days = [row.get("from") for row in rates]
    if not all(isinstance(day, date) for day in days):
        yield "a row has no day to begin"
    elif len(set(days)) < len(days):
        yield "two rows begin on one day"
    for row in rates:
        for name in RATES_OF_A_DAY:
            if type(row.get(name)) is not int or row[name] < (name == "billed_by_s"):
                yield f"{name} of {row.get('from')} is {row.get(name)!r}"


def retries() -> Iterator[CheckMessage]:
    """Yield what keeps a call that reached nobody from being tried again as it is meant."""
    known = {outcome.value for outcome in DialOutcome}
    faults = [
        name
        for name, rule in settings.DIAL_RETRY.items()
        if name not in known or rule.keys() != {"after_s", "times"} or not _is_retry(rule)
    ]
    if faults:
        yield Error(
            f"DIAL_RETRY cannot be followed for: {', '.join(faults)}.",
            hint='Each is one of our outcomes, such as "busy": {"after_s": 1200, "times": 9}.',
            id="voice.E028",
        )


def _is_retry(rule: Mapping[str, Any]) -> bool:
    return all(type(figure) in (int, float) and figure >= 0 for figure in rule.values())


def quantities() -> Iterator[CheckMessage]:
    """Yield what is too low, or does not go with another figure."""
    positive = {*_POSITIVE, *_LIMITS} - {*_NOT_NEGATIVE}
    low = [name for name in sorted(positive) if getattr(settings, name) <= 0]
    low += [name for name in _NOT_NEGATIVE if getattr(settings, name) < 0]
    if low:
        yield Error(
            f"Too low to take a call with: {', '.join(low)}.",
            hint="README.md has the defaults.",
            id="voice.E012",
        )
        return
    if settings.RECONCILE_S < 2 * settings.HEARTBEAT_S:
        yield Error(
            "Calls that live would be closed as lost: RECONCILE_S is less than two heartbeats.",
            hint="Four heartbeats are a good measure; HEARTBEAT_S is how far they are apart.",
            id="voice.E023",
        )
    if settings.CALLBACK_WRITE_S >= settings.TOOL_TIMEOUT_S:
        yield Error(
            "A tool would be given up before a call-back that cannot be written is promised.",
            hint="Set CALLBACK_WRITE_S well below TOOL_TIMEOUT_S.",
            id="voice.E027",
        )
    if settings.UPLINK_CATCH_UP <= 1:
        yield Error(
            "What is kept of a caller would never be caught up with: UPLINK_CATCH_UP is not above 1.",
            hint="Twice real time is what the model was seen to take.",
            id="voice.E031",
        )
    if settings.DRAIN_S < settings.CALL_LIMIT_S:
        yield checks.Warning(
            "DRAIN_S is shorter than CALL_LIMIT_S: a restart may cut calls off.",
            hint="Give a restart as long as the longest call and a minute more.",
            id="voice.W013",
        )
