"""Configure the tests: the product's settings, with secrets planted that no log may hold."""

import os
from tempfile import gettempdir

from courier.settings import *  # noqa: F403 - all of it, which is the point
from courier.settings import DATABASES, LOGGING

PLANTED = {
    "SECRET_KEY": "planted-secret-key-of-no-value-0123456789-abcdefghijkl",
    "SAUTIKIT_API_KEY": "planted-telephone-key-0123456789abcdef",
    "SAUTIKIT_ROUTING_SECRETS": "planted-routing-secret-0123456789abcdef",
    "SAUTIKIT_EVENTS_SECRETS": "planted-events-secret-0123456789abcdefg",
    "SAUTIKIT_SIGNING_SECRETS": "planted-signing-secret-0123456789abcdef",
    "GEMINI_API_KEY": "planted-model-key-0123456789",
}
"""What each secret is during the tests; conftest looks for these words in every log."""

SECRET_KEY = PLANTED["SECRET_KEY"]
DEBUG = False
SAUTIKIT_API_KEY = PLANTED["SAUTIKIT_API_KEY"]
SAUTIKIT_ROUTING_SECRETS = [PLANTED["SAUTIKIT_ROUTING_SECRETS"]]
SAUTIKIT_EVENTS_SECRETS = [PLANTED["SAUTIKIT_EVENTS_SECRETS"]]
SAUTIKIT_SIGNING_SECRETS = [PLANTED["SAUTIKIT_SIGNING_SECRETS"]]
SAUTIKIT_SIGNATURE_MODE = "off"
SAUTIKIT_NUMBER = "+254700000900"
GEMINI_API_KEY = PLANTED["GEMINI_API_KEY"]
GEMINI_LIVE_URL = "ws://127.0.0.1:9"  # the discard port: a test that forgot its own model reaches nobody

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, and no test is about it
WHITENOISE_AUTOREFRESH = True  # looked up when asked for: each client would list all files anew, 30 ms a test

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in production: threads of their own would each see an in-memory database of another kind.
    DATABASES["default"]["TEST"] = {"NAME": f"{gettempdir()}/courier-tests-{os.getpid()}.sqlite3"}

# Ours down to the last level: what is not shown today may be shown tomorrow.
LOGGING["loggers"] |= {name: {"level": "DEBUG"} for name in ("courier", "shipments", "voice")}
# Calls of a test come at once; test_admission.py is about what that is refused for.
ADMISSION_CALLS_PER_SECOND = 1_000
ADMISSION_CALLS_PER_NUMBER = 1_000
ADMISSION_MODEL_WAIT_S = 0.0
