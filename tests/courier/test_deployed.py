"""What production runs with passes Django's own checks for it (P20)."""

import os
import subprocess
import sys

import pytest

from tests.line import EVENTS, OWN_NUMBER, ROOT, ROUTING

PRODUCTION = {
    "PATH": os.environ["PATH"],
    "SECRET_KEY": "planted-secret-key-of-no-value-0123456789-abcdefghijkl",
    "PUBLIC_URL": "https://voice.example.com",
    "DATABASE_URL": "postgres://user:word@127.0.0.1/courier",
    "SAUTIKIT_API_KEY": "planted-telephone-key-0123456789abcdef",
    "SAUTIKIT_NUMBER": OWN_NUMBER,
    "SAUTIKIT_ROUTING_SECRETS": ROUTING,
    "SAUTIKIT_EVENTS_SECRETS": EVENTS,
    "GEMINI_API_KEY": "planted-model-key-0123456789",
}


@pytest.mark.slow
def test_p20_production_passes_every_check_of_a_deployment():
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=PRODUCTION,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
