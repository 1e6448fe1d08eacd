"""Configure everything: one file, every value with a default that runs a bare checkout.

A value that `env` reads is an environment variable of that name, or a file named by NAME_FILE.
"""

import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from courier import logs
from courier.databases import described
from courier.environment import Env

# Before anything imports numpy: blocks of 320 ms are too small to share among threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
BARE_SECRET_KEY = "bare-checkout-key-which-serve-refuses-to-start-with"  # noqa: S105 - public on purpose
env = Env()

# Django

SECRET_KEY = env.str("SECRET_KEY", default=BARE_SECRET_KEY)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG = env.bool("DEBUG", default=False)
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
_PUBLIC = urlsplit(PUBLIC_URL)
_OVER_TLS = _PUBLIC.scheme == "https"
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", *filter(None, [_PUBLIC.hostname])]
)
INSTALLED_APPS = [
    # Before staticfiles: it brings the runserver that knows WebSockets. Nobody else needs Twisted, a fifth of
    # what it took to start.
    *(["daphne"] if sys.argv[1:2] == ["runserver"] else []),
    "unfold",  # before the admin: it brings its templates
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "shipments",
    "voice",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "courier.policy.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "courier.urls"
ASGI_APPLICATION = "courier.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="Africa/Nairobi")
USE_TZ = True

# What a request may bring, and what a browser is told

DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_SECURE = _OVER_TLS
CSRF_COOKIE_SECURE = _OVER_TLS
# TLS ends at the proxy, so Django sees plain HTTP and would not know its own origin.
CSRF_TRUSTED_ORIGINS = [f"{_PUBLIC.scheme}://{_PUBLIC.netloc}"]
X_FRAME_OPTIONS = "DENY"
# Plain HTTP is not served, and browsers are told so, by the proxy where TLS ends (deploy/nginx.conf).
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # straight from the packages: nothing to collect first
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],  # a webhook's secret is in its path; it has no session
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],  # open views say so
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser", "rest_framework.parsers.FormParser"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}

# Database, and the layer that carries news to dashboards (audio never uses it)

ORM_THREADS = env.int("ORM_THREADS", default=8)
DATABASE_QUERY_S = env.float("DATABASE_QUERY_S", default=5.0)
DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
DATABASES = {"default": described(DATABASE_URL, wait_s=DATABASE_QUERY_S, threads=ORM_THREADS)}
REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL and urlsplit(REDIS_URL).scheme not in ("redis", "rediss", "unix"):
    raise ImproperlyConfigured("REDIS_URL begins with none of: redis, rediss, unix")
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1_000}}
    )
}

# The courier

COURIER_NAME = env.str("COURIER_NAME", default="Savanna Express")
PHONE_REGION = env.str("PHONE_REGION", default="KE")
DEFAULT_LANGUAGE = env.str("DEFAULT_LANGUAGE", default="en")

# The telephone

SAUTIKIT_API_KEY = env.str("SAUTIKIT_API_KEY", default="")
SAUTIKIT_BASE_URL = env.str("SAUTIKIT_BASE_URL", default="https://api.sautikit.com")
SAUTIKIT_ROUTING_METHOD = env.str("SAUTIKIT_ROUTING_METHOD", default="PATCH")
SAUTIKIT_CONNECT_S = env.float("SAUTIKIT_CONNECT_S", default=3.0)
SAUTIKIT_ANSWER_S = env.float("SAUTIKIT_ANSWER_S", default=10.0)
SAUTIKIT_NUMBER = env.str("SAUTIKIT_NUMBER", default="")
# Two at once, so that a secret can be changed while calls run.
SAUTIKIT_ROUTING_SECRETS = env.list("SAUTIKIT_ROUTING_SECRETS", default=[])
SAUTIKIT_EVENTS_SECRETS = env.list("SAUTIKIT_EVENTS_SECRETS", default=[])
SAUTIKIT_SIGNING_SECRETS = env.list("SAUTIKIT_SIGNING_SECRETS", default=[])
SAUTIKIT_SIGNATURE_MODE = env.str("SAUTIKIT_SIGNATURE_MODE", default="off")
# What proves the number of a caller: a signature, the carrier's record of the call, or nothing at all.
CALLER_PROOF = env.str("CALLER_PROOF", default="lookup" if SAUTIKIT_API_KEY else "none")
CALLER_PROOF_S = env.float("CALLER_PROOF_S", default=2.5)
SIGNATURE_TOLERANCE_S = env.int("SIGNATURE_TOLERANCE_S", default=300)
STREAM_TRACK = env.str("STREAM_TRACK", default="inbound_track")
STREAM_NAME = env.str("STREAM_NAME", default="courier-agent")
STREAM_HEADER_METADATA = env.str("STREAM_HEADER_METADATA", default="")
STREAM_TOKEN_S = env.int("STREAM_TOKEN_S", default=60)
STREAM_ACCEPT_S = env.float("STREAM_ACCEPT_S", default=3.0)
WEBHOOK_WAIT_S = env.float("WEBHOOK_WAIT_S", default=1.5)
READY_WAIT_S = env.float("READY_WAIT_S", default=1.0)

# The voice model

GEMINI_API_KEY = env.str("GEMINI_API_KEY", default="")
GEMINI_LIVE_URL = env.str("GEMINI_LIVE_URL", default="wss://generativelanguage.googleapis.com")
GEMINI_API_VERSION = env.str("GEMINI_API_VERSION", default="v1beta")
GEMINI_MODEL = env.str("GEMINI_MODEL", default="gemini-3.8-live")
GEMINI_VOICE = env.str("GEMINI_VOICE", default="Kore")
GEMINI_OPEN_S = env.float("GEMINI_OPEN_S", default=5.0)
GEMINI_SETUP_S = env.float("GEMINI_SETUP_S", default=8.0)
GEMINI_SETUP_AGAIN_S = env.float("GEMINI_SETUP_AGAIN_S", default=2.0)
GEMINI_CONNECTION_S = env.float("GEMINI_CONNECTION_S", default=3300.0)
GEMINI_RENEWAL_S = env.float("GEMINI_RENEWAL_S", default=45.0)
GEMINI_RENEWAL_MARGIN_S = env.float("GEMINI_RENEWAL_MARGIN_S", default=2.0)
GEMINI_IDLE_WAIT_S = env.float("GEMINI_IDLE_WAIT_S", default=1.0)
GEMINI_RESUME_S = env.float("GEMINI_RESUME_S", default=3.3)
GEMINI_TRIES = env.int("GEMINI_TRIES", default=2)
GEMINI_FAILURES = env.int("GEMINI_FAILURES", default=3)
GEMINI_STABLE_S = env.float("GEMINI_STABLE_S", default=10.0)
GEMINI_EMPTY_TURNS = env.int("GEMINI_EMPTY_TURNS", default=2)
GEMINI_PENDING_AUDIO = env.str("GEMINI_PENDING_AUDIO", default="")
GEMINI_UNREADABLE = env.int("GEMINI_UNREADABLE", default=20)
GEMINI_TELL_S = env.float("GEMINI_TELL_S", default=1.0)
GEMINI_PING_S = env.float("GEMINI_PING_S", default=1.0)
GEMINI_SILENT_S = env.float("GEMINI_SILENT_S", default=2.0)
GEMINI_PINGS_QUICK = env.int("GEMINI_PINGS_QUICK", default=3)
GEMINI_PING_QUICK_S = env.float("GEMINI_PING_QUICK_S", default=1.0)
GEMINI_VAD_START = env.str("GEMINI_VAD_START", default="START_SENSITIVITY_LOW")
GEMINI_VAD_END = env.str("GEMINI_VAD_END", default="END_SENSITIVITY_LOW")
GEMINI_VAD_PREFIX_MS = env.int("GEMINI_VAD_PREFIX_MS", default=100)
GEMINI_VAD_SILENCE_MS = env.int("GEMINI_VAD_SILENCE_MS", default=700)
GEMINI_COMPRESS_TRIGGER_TOKENS = env.int("GEMINI_COMPRESS_TRIGGER_TOKENS", default=25_600)
GEMINI_COMPRESS_TARGET_TOKENS = env.int("GEMINI_COMPRESS_TARGET_TOKENS", default=12_800)

# A call

CLIPS_PATH = env.str("CLIPS_PATH", default="")
PLAYOUT_LEAD_MS = env.int("PLAYOUT_LEAD_MS", default=200)
PLAYOUT_TAIL_MS = env.int("PLAYOUT_TAIL_MS", default=160)
PLAYOUT_QUEUE_S = env.float("PLAYOUT_QUEUE_S", default=60.0)
UPLINK_QUEUE_S = env.float("UPLINK_QUEUE_S", default=5.0)
UPLINK_STALL_S = env.float("UPLINK_STALL_S", default=1.0)
UPLINK_CATCH_UP = env.float("UPLINK_CATCH_UP", default=2.0)
TOOL_TIMEOUT_S = env.float("TOOL_TIMEOUT_S", default=5.0)
TOOL_LATE_S = env.float("TOOL_LATE_S", default=10.0)
HANG_UP_S = env.float("HANG_UP_S", default=3.0)
TELEPHONE_CLOSE_S = env.float("TELEPHONE_CLOSE_S", default=1.0)
TELEPHONE_STALL_S = env.float("TELEPHONE_STALL_S", default=5.0)
TELEPHONE_TEXTS_PER_S = env.int("TELEPHONE_TEXTS_PER_S", default=10)
TELEPHONE_BYTES_PER_S = env.int("TELEPHONE_BYTES_PER_S", default=48_000)
TELEPHONE_BURST_BYTES = env.int("TELEPHONE_BURST_BYTES", default=480_000)
CALL_LIMIT_S = env.float("CALL_LIMIT_S", default=600.0)
CALL_NO_FRAMES_S = env.float("CALL_NO_FRAMES_S", default=15.0)
FILLER_S = env.float("FILLER_S", default=1.2)
FILLER_FIRST_S = env.float("FILLER_FIRST_S", default=4.0)
FILLER_AGAIN_S = env.float("FILLER_AGAIN_S", default=3.5)
GREETING_NUDGE_S = env.float("GREETING_NUDGE_S", default=3.5)
GREETING_CLIP_S = env.float("GREETING_CLIP_S", default=8.0)
GREETING_SHIELD_S = env.float("GREETING_SHIELD_S", default=2.0)
ANSWER_NUDGE_S = env.float("ANSWER_NUDGE_S", default=5.5)
INTERRUPTED_NUDGE_S = env.float("INTERRUPTED_NUDGE_S", default=4.0)
UNHEARD_NUDGE_S = env.float("UNHEARD_NUDGE_S", default=2.0)
TOOL_NUDGE_S = env.float("TOOL_NUDGE_S", default=6.0)
STUCK_S = env.float("STUCK_S", default=10.0)
STUCK_NUDGED_S = env.float("STUCK_NUDGED_S", default=4.0)
LATE_AUDIO_S = env.float("LATE_AUDIO_S", default=1.0)
CUT_SHORT_S = env.float("CUT_SHORT_S", default=0.8)
SILENCE_ASK_S = env.float("SILENCE_ASK_S", default=20.0)
SILENCE_END_S = env.float("SILENCE_END_S", default=40.0)
VOICEMAIL_SPEECH_S = env.float("VOICEMAIL_SPEECH_S", default=6.0)
VOICEMAIL_MESSAGE_S = env.float("VOICEMAIL_MESSAGE_S", default=30.0)
CALL_WARNING_S = env.float("CALL_WARNING_S", default=60.0)
CALL_GOODBYE_S = env.float("CALL_GOODBYE_S", default=12.0)
CALL_GOODBYE_LONGEST_S = env.float("CALL_GOODBYE_LONGEST_S", default=20.0)
CALL_GOODBYE_AGAIN_S = env.float("CALL_GOODBYE_AGAIN_S", default=3.5)
CALL_GOODBYE_CUT_S = env.float("CALL_GOODBYE_CUT_S", default=1.5)
CALL_MACHINE_TURNS = env.int("CALL_MACHINE_TURNS", default=40)
CALL_MACHINE_S = env.float("CALL_MACHINE_S", default=180.0)
TOOL_CALLS_A_TURN = env.int("TOOL_CALLS_A_TURN", default=8)
TOOL_CALLS_A_CALL = env.int("TOOL_CALLS_A_CALL", default=20)
TOOL_CALLS_A_MINUTE = env.int("TOOL_CALLS_A_MINUTE", default=6)
TOOL_CALLS_ALIKE = env.int("TOOL_CALLS_ALIKE", default=3)
# What strangers may try: ids by call and by number and day; wrong facts and codes by call, and by parcel
# and number in 24 hours; ids that led to nothing, of all calls in an hour, before somebody is alarmed.
IDS_A_CALL = env.int("IDS_A_CALL", default=5)
IDS_A_DAY = env.int("IDS_A_DAY", default=20)
IDS_MISSED_AN_HOUR = env.int("IDS_MISSED_AN_HOUR", default=100)
TRIES_A_CALL = env.int("TRIES_A_CALL", default=3)
TRIES_A_PARCEL = env.int("TRIES_A_PARCEL", default=5)
TRIES_A_NUMBER = env.int("TRIES_A_NUMBER", default=10)
# After how many wrong passwords staff's name is refused, and for how long from the first of them.
LOG_IN_TRIES = env.int("LOG_IN_TRIES", default=5)
LOG_IN_REFUSED_S = env.float("LOG_IN_REFUSED_S", default=3_600.0)
# Whether anybody with an id that is not of our making hears the parcel's coarse state: such ids are guessed.
COARSE_FOREIGN_IDS = env.bool("COARSE_FOREIGN_IDS", default=False)
TOOL_REPEAT_S = env.float("TOOL_REPEAT_S", default=30.0)
TOOL_PENDING_S = env.float("TOOL_PENDING_S", default=10.0)
# When a caller who is to be rung back may expect it: within so long, in these hours of the courier's zone.
CALLBACK_WITHIN_S = env.float("CALLBACK_WITHIN_S", default=7_200.0)
CALLBACK_FROM_HOUR = env.int("CALLBACK_FROM_HOUR", default=8)
CALLBACK_UNTIL_HOUR = env.int("CALLBACK_UNTIL_HOUR", default=18)
CALLBACK_MISSED_S = env.float("CALLBACK_MISSED_S", default=0.0)
ADMISSION_CALLS = env.int("ADMISSION_CALLS", default=40)
ADMISSION_CALLS_PER_SECOND = env.int("ADMISSION_CALLS_PER_SECOND", default=5)
ADMISSION_CALLS_PER_NUMBER = env.int("ADMISSION_CALLS_PER_NUMBER", default=2)
ADMISSION_KES_PER_DAY = env.float("ADMISSION_KES_PER_DAY", default=20_000.0)
ADMISSION_USD_PER_DAY = env.float("ADMISSION_USD_PER_DAY", default=200.0)
ADMISSION_USD_PER_CALL = env.float("ADMISSION_USD_PER_CALL", default=0.3)
ADMISSION_MODEL_FAILURES = env.int("ADMISSION_MODEL_FAILURES", default=5)
ADMISSION_MODEL_WAIT_S = env.float("ADMISSION_MODEL_WAIT_S", default=15.0)
ADMISSION_LAG_S = env.float("ADMISSION_LAG_S", default=0.1)
ADMISSION_LAG_GONE_S = env.float("ADMISSION_LAG_GONE_S", default=0.5)
HEARTBEAT_S = env.float("HEARTBEAT_S", default=10.0)
RECONCILE_S = env.float("RECONCILE_S", default=40.0)
RECONCILE_EVERY_S = env.float("RECONCILE_EVERY_S", default=5.0)
RING_LIMIT_S = env.float("RING_LIMIT_S", default=600.0)
LIVE_EVERY_S = env.float("LIVE_EVERY_S", default=0.1)
LIVE_NEWS = env.int("LIVE_NEWS", default=2_000)
LIVE_LAYER_S = env.float("LIVE_LAYER_S", default=1.0)
LIVE_ORDER_S = env.float("LIVE_ORDER_S", default=2.0)
LIVE_CATCH_UP_S = env.float("LIVE_CATCH_UP_S", default=10.0)
LIVE_POLL_S = env.float("LIVE_POLL_S", default=2.0)
JOURNAL_EVERY_S = env.float("JOURNAL_EVERY_S", default=1.0)
JOURNAL_RECORDS = env.int("JOURNAL_RECORDS", default=1_000)
CALLBACK_WRITE_S = env.float("CALLBACK_WRITE_S", default=1.0)
CALL_WRITE_S = env.float("CALL_WRITE_S", default=3.0)
SPOOL_AGAIN_S = env.float("SPOOL_AGAIN_S", default=2.0)
SPOOL_RECORDS = env.int("SPOOL_RECORDS", default=500)
DRAIN_S = env.float("DRAIN_S", default=660.0)
DRAIN_AGAIN_S = env.float("DRAIN_AGAIN_S", default=5.0)

# The calls that we place: who may be called when, how often, and how fast

DIAL_HOURS = env.str("DIAL_HOURS", default="08:00-20:00")
DIAL_SUNDAY_FROM = env.str("DIAL_SUNDAY_FROM", default="10:00")
DIAL_PER_PARCEL = env.int("DIAL_PER_PARCEL", default=2)
DIAL_PER_NUMBER_PER_DAY = env.int("DIAL_PER_NUMBER_PER_DAY", default=3)
DIAL_ASKED_PER_NUMBER_PER_DAY = env.int("DIAL_ASKED_PER_NUMBER_PER_DAY", default=2)
DIAL_CALLBACKS = env.list("DIAL_CALLBACKS", default=["not_admitted", "model_failure"])
DIAL_COUNTRIES = env.list("DIAL_COUNTRIES", default=["KE", "NG", "GH", "UG"])
DIAL_PER_SECOND = env.float("DIAL_PER_SECOND", default=1.0)
DIAL_AT_ONCE = env.int("DIAL_AT_ONCE", default=20)
DIAL_BELOW_CALLS = env.int("DIAL_BELOW_CALLS", default=ADMISSION_CALLS)
DIAL_BUDGET_KES_PER_DAY = env.int("DIAL_BUDGET_KES_PER_DAY", default=0)
DIAL_ETA_LEAD_S = env.float("DIAL_ETA_LEAD_S", default=900.0)
DIAL_PATH = env.str("DIAL_PATH", default="/v1/calls")
DIAL_WEBHOOK_URL = env.str("DIAL_WEBHOOK_URL", default="")
DIAL_MATCH_S = env.float("DIAL_MATCH_S", default=120.0)
CLOCK_SKEW_S = env.float("CLOCK_SKEW_S", default=120.0)
BILL_DAYS = env.float("BILL_DAYS", default=3.0)
DIAL_UNSENT_TRIES = env.int("DIAL_UNSENT_TRIES", default=3)
DIAL_STUCK_S = env.float("DIAL_STUCK_S", default=60.0)
DIAL_LOOK_UP_S = env.float("DIAL_LOOK_UP_S", default=180.0)
# What follows an outcome: after how many seconds and how often; 0 seconds is the next day that people may
# be called. What is not here is never tried again.
DIAL_RETRY: dict[str, dict[str, float]] = env.table(
    "DIAL_RETRY",
    default={
        "busy": {"after_s": 1_200, "times": 9},
        "no_answer": {"after_s": 7_200, "times": 9},
        "not_available": {"after_s": 7_200, "times": 9},
        "network": {"after_s": 3_600, "times": 1},
        "voicemail": {"after_s": 0, "times": 9},
    },
)

# The courier's own systems: how many requests a minute one of them may make

SPECTACULAR_SETTINGS = {
    "TITLE": f"{COURIER_NAME}: parcels and calls",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ParcelStatus": "shipments.statuses.Status",
        "CallStatus": "voice.statuses.CallStatus",
    },
    # Scripts and styles out of a package: the page loads nothing from elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
API_PER_MINUTE = env.int("API_PER_MINUTE", default=600)
OUTBOX_WAIT_S = env.float("OUTBOX_WAIT_S", default=10.0)
MESSAGE_SENDER = env.str("MESSAGE_SENDER", default="shipments.messages.EmbeddedSender")
OUTBOX_PRIVATE = env.bool("OUTBOX_PRIVATE", default=False)

# What things cost, newest last: a call is priced by the last row that is not after its day.
# Money in hundredths of a shilling and millionths of a dollar; tokens by the million. The carrier bills each
# step of `billed_by_s` that was begun (1: by the second, 60: by the minute), and the stream besides the call.
RATES: Sequence[dict[str, Any]] = env.table(
    "RATES",
    default=(
        {
            "from": date(2026, 7, 1),
            "inbound_kes_minor_per_min": 0,
            "outbound_kes_minor_per_min": 300,
            "stream_kes_minor_per_min": 0,
            "billed_by_s": 1,
            "audio_in_usd_micros_per_million": 3_000_000,
            "audio_out_usd_micros_per_million": 12_000_000,
            "text_in_usd_micros_per_million": 750_000,
            "text_out_usd_micros_per_million": 4_500_000,
        },
    ),
)

# The dispatchers' pages

LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["voice.log_ins.StaffBackend"]
UNFOLD = {
    "LOGIN": {"form": "voice.log_ins.LogInForm"},
    "SITE_TITLE": COURIER_NAME,
    "SITE_HEADER": COURIER_NAME,
    "SITE_SUBHEADER": "Parcels and calls",
    "SITE_URL": "",
    "SITE_SYMBOL": "local_shipping",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/voice/icon.svg"}],
    "STYLES": ["/static/voice/desk.css"],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "voice.dashboard.fill",
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "voice.desk.navigation"},
}

# Logs

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = logs.described(LOG_LEVEL)
