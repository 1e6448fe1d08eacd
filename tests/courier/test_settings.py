"""Settings come from the environment or from files it names, and a bad one says which it is."""

import os
import re
import runpy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "courier" / "settings.py"
NAMES = set(re.findall(r'\benv\.(?:str|bool|int|float|list|table)\(\s*"(\w+)"', SOURCE.read_text()))
FIXED = {
    "SECRET_KEY": "a-key",
    "DEBUG": "yes",
    "ALLOWED_HOSTS": "voice.example.com, localhost",
    "PUBLIC_URL": "https://voice.example.com",
    "DATABASE_URL": "postgres://courier:word@db.example.com:5433/parcels",
    "REDIS_URL": "redis://cache.example.com:6379/1",
    "TIME_ZONE": "Africa/Lagos",
    "COURIER_NAME": "Example Couriers",
    "SAUTIKIT_API_KEY": "an-api-key",
    "SAUTIKIT_BASE_URL": "https://carrier.example.com",
    "SAUTIKIT_NUMBER": "+254700000900",
    "SAUTIKIT_ROUTING_SECRETS": "new-secret, old-secret",
    "SAUTIKIT_SIGNING_SECRETS": "signing",
    "SAUTIKIT_SIGNATURE_MODE": "require",
    "SAUTIKIT_EVENTS_SECRETS": "events",
    "GEMINI_API_KEY": "a-model-key",
    "GEMINI_LIVE_URL": "wss://model.example.com",
    "GEMINI_API_VERSION": "v1alpha",
    "GEMINI_MODEL": "a-model",
    "GEMINI_VOICE": "Puck",
    "PHONE_REGION": "NG",
}
"""The names that others rely on."""
READ_AS: dict[str, Any] = {
    "DEBUG": True,
    "ALLOWED_HOSTS": ["voice.example.com", "localhost"],
    "SAUTIKIT_ROUTING_SECRETS": ["new-secret", "old-secret"],
    "SAUTIKIT_SIGNING_SECRETS": ["signing"],
    "SAUTIKIT_EVENTS_SECRETS": ["events"],
}


@pytest.fixture
def read(monkeypatch):
    """Return what reads the settings file anew, with nothing set but what is given."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)

    def read(**environment: str) -> dict[str, Any]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(SOURCE))

    return read


def test_every_fixed_name_is_read():
    assert FIXED.keys() <= NAMES


def test_the_readme_lists_every_setting_and_no_other():
    listed = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert len(listed) == len(set(listed))
    assert set(listed) == NAMES


def test_the_readme_gives_the_true_defaults(read):
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)

    bare = read()

    given = {name: str(int(bare[name]) if isinstance(bare[name], bool) else bare[name]) for name, _ in rows}
    assert len(rows) > 30
    assert dict(rows) == given


def test_a_bare_checkout_needs_no_setting(read):
    settings = read()

    assert settings["DEBUG"] is False
    assert settings["DATABASES"]["default"]["NAME"] == str(ROOT / "db.sqlite3")
    assert settings["CHANNEL_LAYERS"]["default"]["BACKEND"].endswith("InMemoryChannelLayer")


@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_setting_is_read_from_the_environment(read, name):
    assert read(**{name: FIXED[name]})[name] == READ_AS.get(name, FIXED[name])


@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_setting_is_read_from_a_file_without_the_editors_line_end(read, tmp_path, name):
    path = tmp_path / "setting"
    path.write_text(FIXED[name] + "\n")

    settings = read(**{f"{name}_FILE": str(path)})

    assert settings[name] == READ_AS.get(name, FIXED[name])


def test_an_empty_setting_counts_as_not_set(read):
    bare = read()

    empty = read(**dict.fromkeys(NAMES, ""))

    assert {name: empty[name] for name in NAMES} == {name: bare[name] for name in NAMES}


def test_tables_are_read_as_json_with_their_days_from_the_environment_or_a_file(read, tmp_path):
    path = tmp_path / "rates.json"
    path.write_text('[{"from": "2027-01-01", "outbound_kes_minor_per_min": 400}]\n')

    settings = read(RATES_FILE=str(path), DIAL_RETRY='{"busy": {"after_s": 60, "times": 2}}')

    assert settings["RATES"] == [{"from": date(2027, 1, 1), "outbound_kes_minor_per_min": 400}]
    assert settings["DIAL_RETRY"] == {"busy": {"after_s": 60, "times": 2}}


def test_a_secret_may_begin_with_a_dollar(read):
    assert read(SECRET_KEY="$ecret")["SECRET_KEY"] == "$ecret"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALL_LIMIT_S", "long"),
        ("ORM_THREADS", "1.5"),
        ("DEBUG", "of"),
        ("DATABASE_URL", "mysql://x/y"),
        ("REDIS_URL", "cache.example.com"),
        ("RATES", '[{"from": "the first of July"}]'),
        ("RATES", '{"from": "2026-07-01"}'),
        ("RATES", "[7]"),
        ("DIAL_RETRY", "busy=60"),
        ("DIAL_RETRY", '{"busy": 60}'),
    ],
)
def test_a_bad_value_is_refused_by_its_name_and_not_repeated(read, name, value):
    with pytest.raises(ImproperlyConfigured) as refusal:
        read(**{name: value})

    assert name in str(refusal.value)
    assert value not in str(refusal.value)


def test_a_missing_file_is_refused_by_its_name(read, tmp_path):
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FILE"):
        read(SECRET_KEY_FILE=str(tmp_path / "nowhere"))


def test_sqlite_has_the_combination_that_lost_nothing(read):
    options = read()["DATABASES"]["default"]["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] == 5
    assert "journal_mode=WAL" in options["init_command"]


def test_postgresql_has_a_pool_and_keeps_no_connection_of_a_thread(read):
    database = read(DATABASE_URL=FIXED["DATABASE_URL"])["DATABASES"]["default"]

    assert database["OPTIONS"]["pool"]
    assert database["CONN_MAX_AGE"] == 0
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example.com", 5433, "parcels")


def test_redis_brings_the_layer_that_publishes(read):
    layer = read(REDIS_URL=FIXED["REDIS_URL"])["CHANNEL_LAYERS"]["default"]

    assert layer["BACKEND"] == "channels_redis.pubsub.RedisPubSubChannelLayer"


def test_cookies_are_for_tls_when_the_site_is(read):
    assert read(PUBLIC_URL="https://voice.example.com")["SESSION_COOKIE_SECURE"] is True
    assert read(PUBLIC_URL="http://127.0.0.1:8000")["SESSION_COOKIE_SECURE"] is False


def test_numpy_shares_no_work_among_threads():
    assert os.environ["OPENBLAS_NUM_THREADS"]


def test_the_servers_log_no_paths(read):
    loggers = read()["LOGGING"]["loggers"]

    assert loggers["uvicorn.error"]["level"] == "WARNING"
    assert loggers["uvicorn.access"]["propagate"] is False
