"""Write one structured line a record, with the call it belongs to and nothing that names a person."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from voice.current import call_id

# Django adds the request to what it says of an answer of 400 and above: its words are the whole address.
_UNSAID = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request"}
# Secrets of this product are in paths, and Django and Daphne log the paths of requests.
# A traceback names files below voice/, and is of no use without them.
_SECRET_PATH = re.compile(
    r"(/(?:voice|audio|stream-status|events)/+)(?!(?:\w+/)*\w+\.py\\?\")[^\s/?#\"'<>,\]\\]+"
)
# What was searched for: a number without its plus, a name. A pair of a backslash and a sign stays a pair.
_QUERY = re.compile(r"(?<=[^\s(,?])\?(?:[^\s\"'<>\\]|\\[^n\"])+")
_PHONE = re.compile(r"(?:\+|%2B)\d{7,15}", re.IGNORECASE)


def described(level: str) -> dict[str, Any]:
    """Return Django's description of the logs, ours from this level on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "courier.logs.LineFormatter"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "line"},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's own handlers would print each record again, in a form of their own.
            "django": {"handlers": [], "propagate": True, "level": "INFO"},
            # A stranger's Host header is no error of ours, and its traceback no news.
            "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
            "django.server": {"handlers": [], "propagate": True, "level": "INFO"},
            # Below these levels they print request heads and addresses, the keys among them.
            "httpcore": {"level": "INFO"},
            # A traceback a second for as long as Redis is away, which we say once in words of our own.
            "channels_redis.pubsub": {"level": "CRITICAL"},
            "httpx": {"level": "WARNING"},
            "websockets": {"level": "INFO"},
            # It writes the path of every WebSocket at INFO, and our tokens are in paths.
            "uvicorn.error": {"level": "WARNING"},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }


def mask(text: str) -> str:
    """Return `text` without what follows a secret path's name, without queries and telephone numbers.

    A net under the rule that no such thing is logged at all: other people's loggers do not know it.
    """
    return _PHONE.sub("+***", _QUERY.sub("?***", _SECRET_PATH.sub(r"\1***", text)))


class LineFormatter(logging.Formatter):
    """A record as one line of JSON: when, how bad, who, which call, what, and the record's extras."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if call := call_id.get():
            line["call"] = call
        line["message"] = record.getMessage()
        line |= {name: value for name, value in vars(record).items() if name not in _UNSAID}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return mask(json.dumps(line, default=str, ensure_ascii=False))
