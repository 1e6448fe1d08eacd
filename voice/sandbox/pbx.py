"""Hold audio as the carrier's PBX module does, both ways; pure, with the time as an argument.

What is known of the module is in its public source (mod_audio_fork of the jambonz family): it starts
late, it keeps a tail that is too short, and it forgets only at its own tick. All audio here is 16-bit
little-endian mono PCM at 16 kHz; that a telephone's leg has 8 kHz changes how much is held back, and is
not modelled otherwise. Marks are left out: they fire early and vanish, so nothing may rely on them.
"""

RATE_HZ = 16_000
TICK_MS = 20
TICK_S = TICK_MS / 1000
TICK_BYTES = RATE_HZ * 2 * TICK_MS // 1000

_PIECE_BYTES = 1024  # the module takes a message in pieces of this size
_FIRST_MS = {8_000: 160, 16_000: 80}  # by the rate of the channel
_ALMOST_S = 1e-6  # of one tick's own arithmetic


class PlayOut:
    """What we send, on its way to the caller's ear, from `began_s` on.

    Nothing is heard until a threshold is held; once it has been, half of that is the threshold for the
    rest of the call. What is short of it stays, and is heard in front of what comes next. There is no
    upper limit: whoever sends faster than real time is heard in real time.
    """

    def __init__(self, began_s: float, *, channel_hz: int = 8_000) -> None:
        self._began_s = began_s
        self._ticks = 0
        self._threshold_bytes = RATE_HZ * 2 * _FIRST_MS[channel_hz] // 1000
        self._halved = False
        self._odd = b""
        self._held = bytearray()  # short of the threshold
        self._queue = bytearray()  # to be heard
        self._heard = bytearray()
        self._killed = False
        self.deepest_bytes = 0
        self.killed_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Return how much is stuck until more comes."""
        return len(self._held)

    @property
    def queued_bytes(self) -> int:
        """Return how much is still to be heard."""
        return len(self._queue)

    def receive(self, pcm: bytes, at_s: float) -> None:
        """Take one binary frame of any length; half a sample waits for its other half."""
        self._run(at_s)
        pcm = self._odd + pcm
        whole = len(pcm) & ~1
        self._odd = pcm[whole:]
        for start in range(0, whole, _PIECE_BYTES):
            self._held += pcm[start : min(start + _PIECE_BYTES, whole)]
            if len(self._held) >= self._threshold_bytes:
                self._release()
        self.deepest_bytes = max(self.deepest_bytes, len(self._queue))

    def kill(self, at_s: float) -> None:
        """Empty the queue at the next tick, with all that gets into it until then.

        Neither what is short of the threshold nor half a sample is forgotten.
        """
        self._run(at_s)
        self._killed = True

    def hear(self, until_s: float) -> bytes:
        """Return what the caller heard since the last time, in whole ticks, up to `until_s`."""
        self._run(until_s)
        heard = bytes(self._heard)
        self._heard.clear()
        return heard

    def _release(self) -> None:
        self._queue += self._held
        self._held.clear()
        if not self._halved:
            self._halved = True
            self._threshold_bytes //= 2

    def _run(self, until_s: float) -> None:
        while self._began_s + self._ticks * TICK_S <= until_s + _ALMOST_S:
            self._tick()

    def _tick(self) -> None:
        self._ticks += 1
        if self._killed:
            self._killed = False
            self.killed_bytes += len(self._queue)
            self._queue.clear()
        frame = bytes(self._queue[:TICK_BYTES])
        del self._queue[:TICK_BYTES]
        self._heard += frame.ljust(TICK_BYTES, b"\0")


class Fork:
    """The caller's audio on its way to us: what cannot be sent waits, and what does not fit is lost.

    A reader who stops is not told. With a channel of 8 kHz, the usual case, the newest audio goes; with
    one of 16 kHz the module throws away all that it has.
    """

    def __init__(self, *, limit_s: float = 2.0, channel_hz: int = 8_000) -> None:
        self._limit_bytes = int(limit_s * RATE_HZ) * 2
        self._channel_hz = channel_hz
        self._queue = bytearray()
        self.lost_bytes = 0

    def put(self, pcm: bytes) -> None:
        """Take what the caller said in one tick."""
        if len(self._queue) + len(pcm) > self._limit_bytes:
            if self._channel_hz != RATE_HZ:
                self.lost_bytes += len(pcm)
                return
            self.lost_bytes += len(self._queue)
            self._queue.clear()
        self._queue += pcm

    def take(self, most_bytes: int | None = None) -> bytes:
        """Return all that waits, or its first bytes: the next binary frame."""
        taken = bytes(self._queue[:most_bytes])
        del self._queue[: len(taken)]
        return taken

    def __len__(self) -> int:
        return len(self._queue)
