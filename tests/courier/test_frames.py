"""Whether the quick reading of frames sees what the library sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from courier.frames import FrameWalk, whole_audio


def on_the_wire(
    payload: bytes, opcode: Opcode = Opcode.BINARY, *, fin: bool = True, mask: bool = True
) -> bytes:
    """Return a frame as the library writes it, with a random mask."""
    return bytes(Frame(opcode, payload, fin).serialize(mask=mask))


@given(st.sampled_from([0, 1, 125, 126, 640, 1_280, 65_535, 65_536]), st.binary(min_size=1, max_size=8))
def test_a_frame_is_read_as_it_was_meant(size, pattern):
    payload = (pattern * size)[:size]

    found = whole_audio(on_the_wire(payload))

    assert found == ([payload] if len(payload) < 65_536 else None)


@given(st.lists(st.binary(max_size=700), min_size=1, max_size=8), st.integers(0, 20))
def test_frames_back_to_back_are_read_together_or_not_at_all(payloads, missing):
    data = b"".join(map(on_the_wire, payloads))

    found = whole_audio(data[: len(data) - missing])

    whole = {sum(map(len, map(on_the_wire, payloads[:count]))): payloads[:count] for count in range(1, 9)}
    assert found == whole.get(len(data) - missing)


@pytest.mark.parametrize("data", [
    b"", b"\x82", on_the_wire(b"ab")[:-1], on_the_wire(b"ab") + b"x",
    on_the_wire(b"ab") + on_the_wire(b"{}", Opcode.TEXT), on_the_wire(b"{}", Opcode.TEXT),
    on_the_wire(b"", Opcode.PING), on_the_wire(b"ab", fin=False), on_the_wire(b"ab", Opcode.CONT),
    on_the_wire(b"ab", mask=False), b"\xc2" + on_the_wire(b"ab")[1:],
], ids=map(str, range(11)))  # fmt: skip
def test_every_other_frame_is_left_to_the_library(data):
    assert whole_audio(data) is None


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([Opcode.BINARY, Opcode.TEXT, Opcode.CONT]),
        st.sampled_from([0, 1, 125, 126, 640, 65_535, 65_536, 70_000]),
        st.booleans(),
    ),
    max_size=6,
)


@given(FRAMES, st.lists(st.integers(1, 400), max_size=40))
def test_the_walk_knows_where_frames_begin_however_they_are_cut(frames, cuts):
    written = [on_the_wire(bytes(size), opcode, mask=mask) for opcode, size, mask in frames]
    data, begins = b"".join(written), {0}
    for frame in written:
        begins.add(max(begins) + len(frame))
    walk, place = FrameWalk(), 0
    for cut in [*cuts, len(data)]:
        piece = data[place : place + cut]
        walk.pass_by(piece)
        place += len(piece)

        assert walk.at_start == (place in begins)
