"""Measure how soon the desk sees on its page what happens on the line, with twenty calls talking."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.desk import Watch, a_desk
from tests.line import Line, a_line
from tests.services import valkey
from tests.test_live_line import of, on_the_phone, says

_CALLS, _TURNS = 20, 10


def delays_ms() -> dict[str, list[float]]:
    """Return after how many milliseconds a page had what was said, by where its news came through."""
    return {"in memory": _delays_ms(""), "through Valkey": _through_valkey()}


def _through_valkey() -> list[float]:
    with valkey() as url:
        return _delays_ms(url)


@contextmanager
def _a_line(redis_url: str) -> Iterator[Line]:
    with (
        tempfile.TemporaryDirectory() as folder,
        a_line(Path(folder), REDIS_URL=redis_url, ADMISSION_CALLS="200") as line,
    ):
        yield line


def _delays_ms(redis_url: str) -> list[float]:
    found = []
    with _a_line(redis_url) as line, a_desk(line) as desk, desk.socket() as socket, ExitStack() as talking:
        watch = Watch(socket)
        calls = [talking.enter_context(on_the_phone(line)) for _ in range(_CALLS)]
        watch.until(lambda told: told["kind"] == "line" and all(call in str(told) for call, _ in calls), 30)
        for turn in range(_TURNS):
            for call, model in calls:
                began_s = time.monotonic()
                says(model, f"Words of turn {turn}. ", caller=turn % 2 == 0)
                by = "caller" if turn % 2 == 0 else "agent"
                seen = watch.until(of(call, "said", by=by))
                found.append((float(seen["came_s"]) - began_s) * 1000)
    return found
