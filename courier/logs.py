"""Write one structured line a record, with the call it belongs to and nothing that names a person."""

import json
import logging
import re
from datetime import UTC, datetime

from voice.current import call_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Secrets of this product are in paths, and Django and Daphne log the paths of requests.
# A traceback names files below voice/, and is of no use without them.
_SECRET_PATH = re.compile(
    r"(/(?:voice|audio|stream-status|events)/+)(?!(?:\w+/)*\w+\.py\\?\")[^\s/?#\"'<>,\]\\]+"
)
_PHONE = re.compile(r"(?:\+|%2B)\d{7,15}", re.IGNORECASE)


def mask(text: str) -> str:
    """Return `text` without what follows a secret path's name, and without telephone numbers.

    A net under the rule that no such thing is logged at all: other people's loggers do not know it.
    """
    return _PHONE.sub("+***", _SECRET_PATH.sub(r"\1***", text))


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
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return mask(json.dumps(line, default=str, ensure_ascii=False))
