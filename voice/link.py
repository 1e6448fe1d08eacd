"""Decide over the connection to the model: when to renew it, when to try again, when to give it up.

    ──dial──► opening ──ready──► ready ──lose, renew──► waiting ──dial──► …

A conversation is resumed by the newest handle that the model gave. The model refuses that while it holds
the old connection for open, and for a second after an idle one closed (gemini-live.md §6.5); so the old
one is closed first, and after two tries a new conversation begins. The tries share the time until then: two
that hang, one after the other, keep a caller waiting no longer than two that are refused. But a far network
is slow and not dead: where the model took long to be ready, the first try has its whole time, and the next
have what that leaves, or are not made.
"""

from dataclasses import replace
from math import inf

from voice.events import Command, Dial, Drop, Tell
from voice.limits import Limits
from voice.wire import gemini

_ROOM_S = 0.5
"""What a resumption takes at least: a try with less time left is not begun."""
_FAR = 2.0
"""A first try whose share is less than so many times what the last connection took has its whole time."""


class Link:
    """The life of one call's connections to the model; times are the caller's clock, in seconds."""

    def __init__(self, limits: Limits) -> None:
        self.is_ready = False
        self.is_resumption = False
        """Whether the connection that is being made, or was made last, takes an old conversation up."""
        self.has_spoken = False
        """Whether the model was heard on this connection."""
        self.gap_began_s: float | None = None
        self._limits = limits
        self._handle = ""
        self._ever_ready = False
        self._ready_s = 0.0
        self._dialled_s = 0.0
        self._took_s = 0.0  # the connection that was ready last, from dialling it
        self._setup_by_s = inf
        self._dial_at_s = inf
        self._renew_from_s = inf
        self._renew_by_s = inf
        self._failures = 0
        self._tries = self._limits.tries  # with the handle, that are left
        self._dials = 0  # since the connection was lost
        self._from_idle = True

    @property
    def deadline_s(self) -> float:
        """Return when `tick` is due."""
        return min(self._setup_by_s, self._dial_at_s, self._renew_from_s, self._renew_by_s)

    @property
    def renewal_is_due(self) -> bool:
        """Tell whether the next quiet moment is one to renew the connection in."""
        return self.is_ready and self._renew_from_s == inf

    def renewal_is_pressing(self, now_s: float) -> bool:
        """Tell whether the connection is to be renewed now, quiet or not."""
        return self.is_ready and now_s >= self._renew_by_s

    def setup_is_late(self, now_s: float) -> bool:
        """Tell whether the model took too long to be ready."""
        return now_s >= self._setup_by_s

    def tick(self, now_s: float) -> list[Command]:
        """Dial when it is time to, and note when a renewal falls due."""
        if self._renew_from_s <= now_s:
            self._renew_from_s = inf
        return self.dial(now_s) if self._dial_at_s <= now_s else []

    def dial(self, now_s: float) -> list[Command]:
        """Begin to connect, with the handle as long as there is a try left for it."""
        self._dial_at_s = inf
        self.is_resumption = self._may_resume(now_s)
        if self.is_resumption:
            self._tries -= 1
        else:
            self._handle = ""
        self._dialled_s = now_s
        self._setup_by_s = now_s + self._patience_s(now_s)
        self._dials += 1
        return [Dial()]

    def introduce(self, setup: gemini.Setup) -> Command:
        """Say the first thing on an open connection."""
        return Tell(gemini.setup(replace(setup, handle=self._handle)))

    def get_ready(self, now_s: float, *, until_s: float) -> float | None:
        """Take the model's word that it is ready; return how long it was not, None for the first time.

        `until_s` is when the call is over at the latest.
        """
        gap_s = None if self.gap_began_s is None or not self._ever_ready else now_s - self.gap_began_s
        self.gap_began_s = None
        self.is_ready = self._ever_ready = True
        self.has_spoken = False
        self._ready_s = now_s
        self._took_s = now_s - self._dialled_s
        self._setup_by_s = inf
        self._renew_from_s = now_s + self._limits.connection_s
        self._renew_by_s = self._renew_from_s + self._limits.renewal_s
        if until_s <= self._renew_by_s:  # a gap that near to the end is worse than an old connection
            self._renew_from_s = self._renew_by_s = until_s + 1
        return gap_s

    def keep(self, handle: gemini.Handle) -> None:
        """Keep the newest handle that can be resumed from."""
        if handle.resumable and handle.handle:
            self._handle = handle.handle

    def go_away(self, left_s: float, now_s: float) -> None:
        """Take the notice that the model will close in `left_s`.

        A connection that is told to go as soon as it stands is used for as long as it does: the next one
        may be told the same, and renewing without end is no conversation.
        """
        self._renew_from_s = inf
        margin_s, stable_s = self._limits.renewal_margin_s, self._limits.stable_s
        by_s = max(now_s + max(0.0, left_s - margin_s), self._ready_s + stable_s)
        self._renew_by_s = min(self._renew_by_s, by_s)

    def renew(self, now_s: float, *, idle: bool) -> list[Command]:
        """Close the connection in order to open it again."""
        self._let_go(now_s, idle=idle)
        self._tries = self._limits.tries
        self._dial_at_s = now_s + (self._limits.idle_wait_s if idle and self._handle else 0.0)
        return [Drop()]

    def stop(self) -> list[Command]:
        """Close the connection, or stop trying for one, for good."""
        self.is_ready = False
        self._setup_by_s = self._dial_at_s = self._renew_from_s = self._renew_by_s = inf
        return [Drop()]

    def lose(self, why: str, now_s: float, *, idle: bool, silent: bool = False, anew: bool = False) -> bool:
        """Take the loss of a connection or of the attempt at one; tell whether there will be another.

        `anew` when the conversation is not to be taken up again: its model is what failed.
        """
        weight = 1
        if self.is_ready:
            if now_s - self._ready_s >= self._limits.stable_s and self.has_spoken:
                self._failures = weight = 0
            # Without a close frame the model believes the old connection to be open: no second try.
            self._tries = 1 if silent else self._limits.tries
        elif why == "late" and not self._ever_ready:
            weight = 2  # it cost eight seconds
        retried = not self.is_ready
        self._failures += weight
        refused_handle = why == "refused" and retried and self.is_resumption
        if refused_handle or anew:
            self._handle = ""
        elif why in ("refused", "busy"):
            self._let_go(now_s, idle=idle)
            return False
        self._let_go(now_s, idle=idle if not retried else self._from_idle)
        if self._failures >= self._limits.failures:
            return False
        if self._handle and self._tries > 0:
            wait_s = self._limits.idle_wait_s if self._from_idle and not silent else 0.0
            if retried:  # what hung has waited enough already
                wait_s = 0.0 if why == "late" else self._limits.idle_wait_s / 2
            self._dial_at_s = now_s + wait_s
        if not self._may_resume(self._dial_at_s):
            self._dial_at_s = now_s + (0.0 if self._ever_ready else self._limits.idle_wait_s / 4)
        return True

    def _may_resume(self, at_s: float) -> bool:
        lost_s = at_s if self.gap_began_s is None else self.gap_began_s
        return bool(self._handle) and self._tries > 0 and at_s - lost_s + _ROOM_S <= self._limits.resume_s

    def _patience_s(self, now_s: float) -> float:
        """Return how long the connection that is begun now may take to be ready."""
        if not self._ever_ready:
            return self._limits.setup_s
        left = self._limits.tries - self._dials
        if left > 0 and self.gap_began_s is not None:
            share_s = (self.gap_began_s + self._limits.resume_s - now_s) / left
            if share_s >= (_ROOM_S if self._dials else _FAR * self._took_s):
                return min(share_s, self._limits.setup_again_s)
        return self._limits.setup_again_s

    def _let_go(self, now_s: float, *, idle: bool) -> None:
        if self.gap_began_s is None:
            self.gap_began_s = now_s
            self._dials = 0
        self._from_idle = idle
        self.stop()
