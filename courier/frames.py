"""Read the one WebSocket frame that a telephone sends fifty times a second without the library's parser.

Pure. A frame is taken here only when it is whole, alone, masked, binary and unfragmented, at a place where
a frame begins; all others go to the library, which knows the protocol's every rule. That is a sixth of
a call's CPU (bridge-cost.md, "frame fast path").
"""

from websockets.frames import apply_mask  # type: ignore[attr-defined] # C where it was built, else Python

_WHOLE_BINARY = 0x82  # FIN and opcode 2, no reserved bit
_MASKED = 0x80
_MASK_BYTES = 4


def lone_audio(data: bytes) -> bytes | None:
    """Return the payload of `data` when it is exactly one masked, whole binary frame under 64 KiB."""
    size = len(data)
    if size < 6 or data[0] != _WHOLE_BINARY or data[1] < _MASKED:
        return None
    length, start = data[1] & 0x7F, 2
    if length == 126:
        length, start = data[2] << 8 | data[3], 4
    if length == 127 or size != start + _MASK_BYTES + length:
        return None
    start += _MASK_BYTES
    return bytes(apply_mask(data[start:], data[start - _MASK_BYTES : start]))


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
