"""Impossible settings are found at start-up, each by its id."""

import ast
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings as as_they_are

from voice import checks, quantities
from voice.checks import serve_refusals, settings_are_possible

ROW = as_they_are.RATES[0]


@pytest.fixture(autouse=True)
def _callers_are_looked_up(settings):
    settings.CALLER_PROOF = "lookup"


def ids() -> list[str | None]:
    return [found.id for found in settings_are_possible()]


def test_the_defaults_are_possible():
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("STREAM_TRACK", "both_tracks", "voice.E001"),
        ("STREAM_TRACK", "outbound_track", "voice.E001"),
        ("SAUTIKIT_SIGNATURE_MODE", "on", "voice.E002"),
        ("CALLER_PROOF", "word", "voice.E018"),
        ("CALLER_PROOF", "none", "voice.W021"),
        ("SAUTIKIT_API_KEY", "", "voice.E019"),
        ("SAUTIKIT_ROUTING_SECRETS", ["short"], "voice.E004"),
        ("SAUTIKIT_EVENTS_SECRETS", ["with/a/slash-0123456789-0123456789-0123"], "voice.E004"),
        ("DIAL_RETRY", {"asleep": {"after_s": 60, "times": 1}}, "voice.E028"),
        ("DIAL_RETRY", {"busy": {"after_s": -1, "times": 1}}, "voice.E028"),
        ("DIAL_RETRY", {"busy": {"after_s": "60", "times": 1}}, "voice.E028"),
        ("DIAL_RETRY", {"busy": {"after_s": 60}}, "voice.E028"),
        ("RATES", (), "voice.E005"),
        ("RATES", (ROW, ROW), "voice.E005"),
        ("RATES", (ROW | {"from": "2026-07-01"},), "voice.E005"),
        ("RATES", (ROW | {"outbound_kes_minor_per_min": 3.0},), "voice.E005"),
        ("RATES", (ROW | {"audio_in_usd_micros_per_million": -1},), "voice.E005"),
        ("RATES", ({"from": date(2026, 7, 1)},), "voice.E005"),
        ("RATES", (ROW | {"billed_by_s": 0},), "voice.E005"),
        ("MESSAGE_SENDER", "shipments.messages.Nobody", "voice.E025"),
        ("PUBLIC_URL", "voice.example.com", "voice.E006"),
        ("SAUTIKIT_ROUTING_METHOD", "POST", "voice.E024"),
        ("SAUTIKIT_BASE_URL", "http://api.example.com", "voice.E007"),
        ("GEMINI_LIVE_URL", "ws://model.example.com", "voice.E007"),
        ("GEMINI_LIVE_URL", "model", "voice.E007"),
        ("STREAM_NAME", "two words", "voice.E008"),
        ("CLIPS_PATH", "/nowhere", "voice.E017"),
        ("GREETING_SHIELD_S", -1.0, "voice.E012"),
        ("STUCK_S", 0.0, "voice.E012"),
        ("STREAM_HEADER_METADATA", '{"nested": {}}', "voice.E009"),
        ("STREAM_HEADER_METADATA", "words", "voice.E009"),
        ("PHONE_REGION", "Kenya", "voice.E010"),
        ("SAUTIKIT_NUMBER", "COURIER", "voice.E011"),
        ("TOOL_TIMEOUT_S", 0, "voice.E012"),
        ("PLAYOUT_TAIL_MS", -1, "voice.E012"),
        ("DRAIN_S", 10, "voice.W013"),
        ("RECONCILE_S", 19.0, "voice.E023"),
        ("CALLBACK_WRITE_S", 5.0, "voice.E027"),
        ("UPLINK_CATCH_UP", 1.0, "voice.E031"),
        ("GEMINI_VAD_START", "LOW", "voice.E014"),
        ("GEMINI_VAD_END", "START_SENSITIVITY_LOW", "voice.E014"),
        ("GEMINI_PENDING_AUDIO", "hush", "voice.E032"),
        ("GEMINI_COMPRESS_TARGET_TOKENS", 25_600, "voice.E015"),
        ("DIAL_HOURS", "20:00-08:00", "voice.E021"),
        ("DIAL_SUNDAY_FROM", "ten", "voice.E021"),
        ("DIAL_PER_SECOND", 0.0, "voice.E022"),
        ("DIAL_CALLBACKS", ["anger"], "voice.E029"),
        ("PLAYOUT_LEAD_MS", 119, "voice.E033"),
        ("VOICEMAIL_MESSAGE_S", 40.0, "voice.E026"),
    ],
)
def test_an_impossible_value_is_found(settings, name, value, found):
    setattr(settings, name, value)

    assert ids() == [found]


def test_signatures_cannot_be_required_without_a_secret(settings):
    settings.SAUTIKIT_SIGNATURE_MODE = "require"
    settings.SAUTIKIT_SIGNING_SECRETS = []

    assert ids() == ["voice.E003"]


def test_signatures_cannot_prove_a_number_without_a_secret(settings):
    settings.CALLER_PROOF = "signature"
    settings.SAUTIKIT_SIGNING_SECRETS = []

    assert ids() == ["voice.E020"]


def test_no_message_repeats_a_secret(settings):
    settings.SAUTIKIT_ROUTING_SECRETS = ["planted/secret"]

    (found,) = settings_are_possible()

    assert "planted" not in f"{found.msg} {found.hint}"


def test_t1_s15_both_tracks_are_refused_with_the_reason(settings):
    settings.STREAM_TRACK = "both_tracks"

    (found,) = settings_are_possible()

    assert "the model would hear itself" in found.msg


def test_a_local_model_may_be_reached_without_tls(settings):
    settings.GEMINI_LIVE_URL = "ws://127.0.0.1:8765/live"

    assert ids() == []


def test_production_starts_with_settings_of_its_own():
    assert serve_refusals() == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DEBUG", True, "voice.E101"),
        ("SECRET_KEY", as_they_are.BARE_SECRET_KEY, "voice.E102"),
        ("SAUTIKIT_ROUTING_SECRETS", [], "voice.E103"),
    ],
)
def test_production_refuses_what_only_a_bare_checkout_may_have(settings, name, value, found):
    setattr(settings, name, value)

    assert [refusal.id for refusal in serve_refusals()] == [found]


def test_an_id_names_one_check():
    functions = [
        node
        for module in (checks, quantities)
        for node in ast.parse(Path(str(module.__file__)).read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]

    used = Counter(
        found
        for function in functions
        for found in {
            str(node.value.value)
            for node in ast.walk(function)
            if isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant)
        }
    )

    assert len(used) > 25
    assert [found for found, times in used.items() if times > 1] == []
