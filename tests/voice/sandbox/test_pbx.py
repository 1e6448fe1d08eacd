"""What the PBX module makes of what we send and of a reader who stops."""

import pytest

from voice.sandbox.pbx import TICK_BYTES, TICK_S, Fork, PlayOut


def speech(ms: int, value: int = 1000) -> bytes:
    return value.to_bytes(2, "little", signed=True) * (16 * ms)


def heard_ms(pcm: bytes) -> int:
    """Return how much of it is not silence."""
    return sum(pcm[at : at + 2] != b"\0\0" for at in range(0, len(pcm), 2)) // 16


def onset_ms(pcm: bytes) -> int:
    return next(at for at in range(0, len(pcm), 2) if pcm[at : at + 2] != b"\0\0") // 32


@pytest.mark.parametrize(("channel_hz", "first_ms", "then_ms"), [(8_000, 160, 80), (16_000, 80, 40)])
def test_nothing_is_heard_before_the_threshold_and_half_of_it_afterwards(channel_hz, first_ms, then_ms):
    pbx = PlayOut(0.0, channel_hz=channel_hz)

    pbx.receive(speech(first_ms - 20), 0.0)
    before = pbx.hear(0.5)
    pbx.receive(speech(20), 0.5)
    first = pbx.hear(1.0)
    pbx.receive(speech(then_ms - 20), 1.0)
    short = pbx.hear(1.5)
    pbx.receive(speech(20), 1.5)
    second = pbx.hear(2.0)

    assert heard_ms(before) == 0
    assert heard_ms(first) == first_ms
    assert heard_ms(short) == 0
    assert heard_ms(second) == then_ms


def test_the_tail_of_an_utterance_is_heard_in_front_of_the_next():
    pbx = PlayOut(0.0)

    pbx.receive(speech(160, 1), 0.0)
    pbx.receive(speech(60, 2), 0.1)
    first = pbx.hear(10.0)
    pbx.receive(speech(20, 3), 10.0)
    second = pbx.hear(11.0)

    assert heard_ms(first) == 160
    assert pbx.held_bytes == 0
    assert second.startswith(speech(60, 2) + speech(20, 3))


def test_padding_of_160_ms_behind_an_utterance_leaves_nothing_of_it_stuck():
    pbx = PlayOut(0.0)

    for frame in range(33):
        pbx.receive(speech(20), frame * TICK_S)
    pbx.receive(bytes(TICK_BYTES * 8), 0.7)

    assert heard_ms(pbx.hear(3.0)) == 33 * 20


def test_audio_that_comes_faster_than_real_time_is_heard_in_real_time_and_none_is_dropped():
    pbx = PlayOut(0.0)

    pbx.receive(speech(60_000) + bytes(TICK_BYTES * 8), 0.0)

    assert heard_ms(pbx.hear(30.0)) == 30_000
    assert heard_ms(pbx.hear(61.0)) == 30_000
    assert pbx.deepest_bytes >= 60 * 32_000


def test_killed_audio_is_silent_from_the_next_tick_on():
    pbx = PlayOut(0.0)
    pbx.receive(speech(5_000), 0.0)

    pbx.kill(1.005)
    heard = pbx.hear(3.0)

    assert heard_ms(heard) == 1_000
    assert heard[: 32 * 20] == bytes(TICK_BYTES)
    assert heard[32 * 1020 :] == bytes(len(heard) - 32 * 1020)


def test_what_comes_in_the_same_tick_as_the_kill_is_wiped_with_the_old():
    pbx = PlayOut(0.0)
    pbx.receive(speech(1_000), 0.0)

    pbx.kill(0.505)
    pbx.receive(speech(500), 0.51)
    wiped = pbx.hear(2.0)
    pbx.receive(speech(480), 2.0)

    assert heard_ms(wiped) == 500
    assert heard_ms(pbx.hear(3.0)) == 480


def test_a_kill_leaves_what_was_short_of_the_threshold_and_half_a_sample():
    pbx = PlayOut(0.0)
    pbx.receive(speech(160), 0.0)
    pbx.receive(speech(60, 2) + b"\x03", 0.01)

    pbx.kill(0.019)
    silence = pbx.hear(1.0)
    pbx.receive(b"\x00" + speech(20, 4), 1.0)

    assert heard_ms(silence) == 0
    assert pbx.hear(2.0).startswith(speech(60, 2) + b"\x03\x00" + speech(20, 4))


def test_any_cut_into_frames_is_heard_the_same():
    pcm = b"".join((n % 3000 + 1).to_bytes(2, "little") for n in range(16_000))
    whole, cut = PlayOut(0.0), PlayOut(0.0)

    whole.receive(pcm, 0.0)
    at = 0
    for length in [1, 2, 3, 641, 0, 1279, 5000, 7, 33_000]:
        cut.receive(pcm[at : at + length], 0.0)
        at += length
    padding = bytes(TICK_BYTES * 8)
    whole.receive(padding, 0.0)
    cut.receive(padding, 0.0)

    heard = cut.hear(2.0)
    assert heard == whole.hear(2.0)
    assert heard[TICK_BYTES:].startswith(pcm)


def test_what_is_heard_comes_in_whole_ticks_of_its_own_clock():
    pbx = PlayOut(100.0)

    early = pbx.hear(99.9)
    first = pbx.hear(100.0)
    between = pbx.hear(100.019)
    later = pbx.hear(100.1)

    assert (early, len(first), between) == (b"", TICK_BYTES, b"")
    assert len(later) == 5 * TICK_BYTES


def test_an_underrun_is_silence_within_the_tick():
    pbx = PlayOut(0.0)

    pbx.receive(speech(170), 0.0)
    heard = pbx.hear(1.0)

    assert heard_ms(heard) == 160
    assert onset_ms(heard) == 20
    assert pbx.held_bytes == 320


def test_a_reader_who_stops_loses_the_newest_audio_after_two_seconds():
    fork = Fork()

    for tick in range(200):
        fork.put(speech(20, tick + 1))

    assert fork.take() == b"".join(speech(20, tick + 1) for tick in range(100))
    assert fork.lost_bytes == 100 * TICK_BYTES


def test_on_a_wide_band_channel_a_full_buffer_is_thrown_away_whole():
    fork = Fork(channel_hz=16_000)

    for tick in range(101):
        fork.put(speech(20, tick + 1))

    assert fork.take() == speech(20, 101)
    assert fork.lost_bytes == 100 * TICK_BYTES


def test_a_frame_may_be_a_part_of_what_waits():
    fork = Fork()
    fork.put(speech(20))

    first, rest = fork.take(333), fork.take()

    assert (len(first), len(rest), len(fork)) == (333, TICK_BYTES - 333, 0)
