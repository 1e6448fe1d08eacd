"""Keep Python's collector of garbage from standing between a caller and an answer."""

import gc

from django.urls import get_resolver


def freeze() -> None:
    """Load all that requests will need, and have the collector never look at it again.

    A full collection walked all of Django, 80 to 100 ms in which no frame moved, each time that a batch of a
    thousand parcels or a long page had made enough garbage.
    """
    for pattern in get_resolver().url_patterns:  # reading them imports the views
        getattr(pattern, "url_patterns", None)
    gc.collect()
    gc.freeze()


class Sweeper:
    """Has the collector look at what calls have left, when the last of them has gone.

    A call's tasks, sockets and errors know each other in circles, which go with a full collection only: some
    20 KB a call were kept until 300 of them were over.
    """

    def __init__(self) -> None:
        self._had_calls = False

    def look(self, calls: int) -> None:
        """Take how many calls are carried or awaited now; to be told a few times a second."""
        if self._had_calls and not calls:
            gc.collect()
        self._had_calls = calls > 0
