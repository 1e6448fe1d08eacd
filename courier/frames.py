"""Read the WebSocket frames that a telephone sends fifty times a second without the library's parser.

Pure. They are taken here only when all that has come is whole frames, masked, binary and unfragmented, from
a place where a frame begins; all others go to the library, which knows the protocol's every rule. That is
a sixth of a call's CPU (bridge-cost.md, "frame fast path").
"""

from websockets.frames import apply_mask  # type: ignore[attr-defined] # C where it was built, else Python

_WHOLE_BINARY = 0x82  # FIN and opcode 2, no reserved bit
_MASKED = 0x80
_MASK_BYTES = 4


def whole_audio(data: bytes) -> list[bytes] | None:
    """Return the payloads when `data` is nothing but masked, whole binary frames under 64 KiB, else None."""
    payloads, place, size = [], 0, len(data)
    while place < size:
        if size - place < 6 or data[place] != _WHOLE_BINARY or data[place + 1] < _MASKED:
            return None
        length, start = data[place + 1] & 0x7F, place + 2
        if length == 126:
            length, start = data[start] << 8 | data[start + 1], start + 2
        elif length == 127:
            return None
        start += _MASK_BYTES
        place = start + length
        if place > size:
            return None
        payloads.append(bytes(apply_mask(data[start:place], data[start - _MASK_BYTES : start])))
    return payloads or None


class FrameWalk:
    """Knows whether the next byte of a connection begins a frame, by the lengths that frames declare."""

    def __init__(self) -> None:
        self.at_start = True
        self._missing = 0
        self._head = b""

    def pass_by(self, data: bytes) -> None:
        """Note that these bytes went to the library."""
        data = self._head + data
        place, size = self._missing, len(data)
        self._head = b""
        while place < size:
            end = _end(data, place)
            if end is None:  # in the middle of a head
                self._head, place = data[place:], size
                break
            place = end
        self._missing = place - size
        self.at_start = not self._missing and not self._head


def _end(data: bytes, start: int) -> int | None:
    """Return where the frame that begins at `start` ends; None when its head is not all there."""
    if len(data) - start < 2:
        return None
    length, body = data[start + 1] & 0x7F, start + 2
    extra = {126: 2, 127: 8}.get(length, 0)
    if len(data) < body + extra:
        return None
    if extra:
        length = int.from_bytes(data[body : body + extra], "big")
    return body + extra + (_MASK_BYTES if data[start + 1] & _MASKED else 0) + length
