"""Say when a call's audio goes out: to the telephone no sooner than it is heard, to the model without gaps.

Pure. All audio is 16-bit little-endian mono PCM. Times are seconds of one monotonic clock, and arguments.
"""

from voice.audio import BYTES_PER_S, FRAME_MS, speech_in

_FRAME_BYTES = BYTES_PER_S * FRAME_MS // 1000
_FRAME_S = FRAME_MS / 1000
_CLEARED_S = 0.04
_TIMER_S = 0.001
"""What event loops round timers to: to wait for less is to spin."""
_EARLY_S, _IN_TURN_S = 0.02, 0.07


class Pacer:
    """Speech on its way to the telephone: given out two frames at a time, a lead ahead, give or take one.

    It counts on a nominal grid: a late tick is followed by an early one, not by a gap. A timer and a send for
    each frame was a tenth of a call's CPU; alone goes only a frame that has none behind it.
    """

    _AT_ONCE = 2

    def __init__(self, rate_hz: int, lead_s: float, *, limit_s: float, tail_ms: int) -> None:
        self._per_s = rate_hz * 2
        self._frame_bytes = self._per_s * FRAME_MS // 1000
        self._lead_s = lead_s - FRAME_MS / 1000  # when the next two are due, which then are one above it
        self._limit_bytes = int(limit_s * self._per_s)
        self._tail = bytes(tail_ms * self._per_s // 1000)
        self._queue = bytearray()
        self._heard_at_s = 0.0  # when all that was given out will have been heard
        self._not_before_s = 0.0
        self._gave_at_s = 0.0
        self._sent_bytes = 0
        self._cut_bytes = 0  # sent, but cleared at the telephone before it was heard
        self._full_bytes = 0  # never sent: there was no room

    def put(self, pcm: bytes) -> None:
        """Queue speech; what does not fit is left out in whole frames, the newest, and counted."""
        room = self._limit_bytes - len(self._queue)
        if len(pcm) > room:
            kept = max(0, room) // self._frame_bytes * self._frame_bytes
            self._full_bytes += len(pcm) - kept
            pcm = pcm[:kept]
        self._queue += pcm

    def end_utterance(self) -> None:
        """Put silence behind what is queued, to whole frames: a carrier holds back what is short of one."""
        self._queue += self._tail
        self._queue += bytes(-len(self._queue) % self._frame_bytes)

    def wait_s(self, now_s: float) -> float | None:
        """Return how long until a frame may go out; None while there is none."""
        if len(self._queue) < self._frame_bytes:
            return None
        wait_s = max(self._heard_at_s - self._lead_s, self._not_before_s) - now_s
        return wait_s if wait_s >= _TIMER_S else 0.0

    def is_turn(self, now_s: float) -> bool:
        """Tell whether the next frames are to go out with a frame of the caller's that has just come.

        Every other one takes two along, while the lead is roughly right: with a sharp limit a call whose
        frames come just then would go out of step with each that is early or late.
        """
        if len(self._queue) < self._frame_bytes or now_s < self._not_before_s:
            return False
        late_s = now_s - (self._heard_at_s - self._lead_s)
        return late_s >= (-_EARLY_S if now_s - self._gave_at_s >= _IN_TURN_S else 0.0)

    def pop(self, now_s: float, *, in_turn: bool = False) -> bytes:
        """Return the next frames when they are due, or it is their turn, else nothing."""
        if not (self.is_turn(now_s) if in_turn else self.wait_s(now_s) == 0):
            return b""
        self._gave_at_s = now_s
        whole = min(len(self._queue) // self._frame_bytes, self._AT_ONCE) * self._frame_bytes
        frames = bytes(self._queue[:whole])
        del self._queue[:whole]
        self._sent_bytes += whole
        self._heard_at_s = max(self._heard_at_s, now_s) + whole / self._per_s
        return frames

    def clear(self, now_s: float) -> None:
        """Drop what is queued, and count as unheard what the telephone drops with it.

        The telephone obeys at its next tick, so what comes behind waits two of them, not to be dropped too.
        """
        self._queue.clear()
        unheard_s = max(0.0, self._heard_at_s - now_s)
        self._cut_bytes += int(unheard_s * self._per_s)
        self._heard_at_s = min(self._heard_at_s, now_s)
        self._not_before_s = now_s + _CLEARED_S

    def trim(self, keep_s: float) -> None:
        """Drop what is queued but for its first `keep_s`, and count it as cut."""
        kept = int(keep_s * self._per_s) // self._frame_bytes * self._frame_bytes
        self._full_bytes += max(0, len(self._queue) - kept)
        del self._queue[kept:]

    def left_s(self, now_s: float) -> float:
        """Return how long until all that was given out has been heard."""
        return max(0.0, self._heard_at_s - now_s)

    def played_s(self, now_s: float) -> float:
        """Return how much of what was given out has been heard by now."""
        ahead_s = max(0.0, self._heard_at_s - now_s)
        return (self._sent_bytes - self._cut_bytes) / self._per_s - ahead_s

    def counters(self, now_s: float) -> dict[str, int]:
        """Return what came of all that was queued, in milliseconds."""
        return {
            "speech_sent_ms": self._sent_bytes * 1000 // self._per_s,
            "speech_heard_ms": round(self.played_s(now_s) * 1000),
            "speech_cut_ms": self._cut_bytes * 1000 // self._per_s,
            "speech_dropped_ms": self._full_bytes * 1000 // self._per_s,
        }


class InputClock:
    """The caller's audio on its way to the model: without gaps, without bursts.

    The model waits for ever when its input stops, and loses count when a backlog comes at once
    (gemini-live.md §6.2). So a silent carrier is replaced by silence, and what was kept while nobody
    listened goes out at `catch_up` times real time. Of a carrier that stalls no more than the last `stall_s`
    are passed on: the caller would be answered late from then on.
    """

    _GRACE_S = 0.2
    _BURST_S = 0.12

    def __init__(self, *, limit_s: float, stall_s: float = 1.0, catch_up: float = 2.0) -> None:
        self._limit_bytes = int(limit_s * BYTES_PER_S) & ~1
        self._stall_bytes = int(stall_s * BYTES_PER_S) & ~1
        self._catch_up = catch_up
        self._queue = bytearray()
        self._owed_bytes: int | None = None  # of the time without a listener; None while there is none
        self._sent_at_s: float | None = None
        self._budget_s = self._BURST_S
        self._budget_at_s = 0.0
        self._dropped_bytes = 0
        self._silence_bytes = 0

    def push(self, pcm: bytes, now_s: float) -> None:
        """Keep what the caller said; above the limit the oldest goes, in whole samples, and is counted."""
        self._queue += pcm
        limit_bytes = self._limit_bytes
        if self._owed_bytes is not None:
            limit_bytes = min(limit_bytes, self._stall_bytes + self._owed_bytes)
        over = len(self._queue) - limit_bytes
        if over > 0:
            over += over & 1
            del self._queue[:over]
            self._dropped_bytes += over

    @property
    def lags(self) -> bool:
        """Whether there is more to give out than what has just come."""
        return len(self._queue) >= _FRAME_BYTES

    def keep(self) -> None:
        """Begin to keep what the caller says: nobody listens."""
        self._owed_bytes = None

    def pass_on(self) -> None:
        """Begin to give out what was kept, all of it, and then what is said."""
        self._owed_bytes = len(self._queue)

    def start(self, now_s: float) -> None:
        """Begin with a listener who is new: no silence is owed for the time before."""
        self._sent_at_s = self._budget_at_s = now_s

    def sift(self) -> bool:
        """Drop the silence around what was said in what is kept; tell whether anything was."""
        begins, ends = speech_in(bytes(self._queue))
        del self._queue[ends : len(self._queue) & ~1]
        del self._queue[:begins]
        return ends > 0

    def silence(self, now_s: float) -> bytes:
        """Return a frame of silence when one is due, whatever is kept, else nothing."""
        if self._sent_at_s is None:
            self._sent_at_s = now_s
        if self._sent_at_s + _FRAME_S > now_s:
            return b""
        self._sent_at_s += _FRAME_S
        self._silence_bytes += _FRAME_BYTES
        return bytes(_FRAME_BYTES)

    def pop(self, now_s: float) -> bytes:
        """Return the next frame for the model when one is due, else nothing."""
        if self._sent_at_s is None:
            self._sent_at_s = self._budget_at_s = now_s
        if len(self._queue) >= _FRAME_BYTES:
            if not self._may_send(now_s):
                return b""
            frame = bytes(self._queue[:_FRAME_BYTES])
            del self._queue[:_FRAME_BYTES]
            if self._owed_bytes:
                self._owed_bytes = min(self._owed_bytes, len(self._queue))
            self._sent_at_s = now_s
            return frame
        if self._sent_at_s + self._GRACE_S > now_s:
            return b""
        self._sent_at_s += _FRAME_S
        return self._silence()

    def wait_s(self, now_s: float) -> float:
        """Return how long until `pop` has to be tried again when nothing more arrives."""
        if self._sent_at_s is None or len(self._queue) >= _FRAME_BYTES:
            return _FRAME_S / self._catch_up
        return max(_TIMER_S, self._sent_at_s + self._GRACE_S - now_s)

    def counters(self) -> dict[str, int]:
        """Return what was lost and what was made up, in milliseconds."""
        return {
            "caller_dropped_ms": self._dropped_bytes * 1000 // BYTES_PER_S,
            "caller_silence_ms": self._silence_bytes * 1000 // BYTES_PER_S,
        }

    def _may_send(self, now_s: float) -> bool:
        earned_s = (now_s - self._budget_at_s) * self._catch_up
        self._budget_s = min(self._BURST_S, self._budget_s + earned_s)
        self._budget_at_s = now_s
        if self._budget_s < _FRAME_S:
            return False
        self._budget_s -= _FRAME_S
        return True

    def _silence(self) -> bytes:
        # Half a sample stays behind: whole ones after it would be read shifted by a byte.
        whole = len(self._queue) & ~1
        frame = bytes(self._queue[:whole]) + bytes(_FRAME_BYTES - whole)
        del self._queue[:whole]
        self._silence_bytes += _FRAME_BYTES - whole
        return frame
