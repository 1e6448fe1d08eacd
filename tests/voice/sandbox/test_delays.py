"""What the bridge adds, measured between its two ends."""

import base64
import json

import pytest

from voice.sandbox.delays import (
    Added,
    ModelWatch,
    Passage,
    Percentiles,
    Traffic,
    added,
    percentiles,
    to_caller_ms,
    to_model_ms,
)
from voice.sandbox.live_server import Seen


def noise(frames: int, *, start: int = 0) -> bytes:
    """Return 20 ms frames of which no two are the same."""
    return b"".join(n.to_bytes(4, "little") for n in range(1 + start * 160, 1 + (start + frames) * 160))


def test_a_distribution_is_its_middle_and_its_tail():
    assert percentiles([float(value) for value in range(101)]) == Percentiles(50, 95, 99)
    assert percentiles([]) is None


def test_delay_is_from_a_frames_entry_to_the_passing_of_its_last_byte():
    sent = [Passage(0.00, 640), Passage(0.02, 1280), Passage(0.04, 1920), Passage(0.06, 2560)]
    model = Traffic(bytearray(noise(3)), [Passage(0.021, 1280), Passage(0.063, 1920)])

    assert to_model_ms(sent, noise(4), model) == pytest.approx([21, 1, 23])


def test_silence_put_in_and_frames_left_out_do_not_shift_the_rest():
    sent = [Passage(0.02 * n, 640 * (n + 1)) for n in range(4)]
    heard = noise(1) + bytes(1280) + noise(2, start=2)
    model = Traffic(bytearray(heard), [Passage(0.5 + n, 640 * (n + 1)) for n in range(5)])

    assert to_model_ms(sent, noise(4), model) == pytest.approx([500, 3460, 4440])


def test_zeros_are_found_everywhere_and_therefore_not_counted():
    model = Traffic(bytearray(1280), [Passage(1.0, 1280)])

    assert to_model_ms([Passage(0.0, 640)], bytes(640), model) == []


def test_an_utterance_is_late_by_its_first_frame():
    model = Traffic(spoke_s=[1.0, 1.1, 1.2, 5.0, 9.0])

    assert to_caller_ms(model, [1.03, 1.07, 4.99, 5.03, 9.04]) == pytest.approx([30, 40])


def test_a_calls_session_is_the_one_that_heard_it():
    sent = [Passage(0.0, 640), Passage(0.02, 1280)]
    others = Traffic(bytearray(noise(1)), [Passage(9.0, 640)], [1.0])
    its = Traffic(bytearray(noise(2)), [Passage(0.03, 640), Passage(0.05, 1280)], [2.0])

    found = added(sent, noise(2), [2.01], [others, its])

    assert found.to_model == Percentiles(30, 30, 30)
    assert found.to_caller == Percentiles(10, 10, 10)
    assert added(sent, noise(2), [], []) == Added(None, None)


def test_a_long_calls_session_is_told_by_some_of_its_frames_and_measured_by_all():
    sent = [Passage(0.02 * n, 640 * (n + 1)) for n in range(100)]
    others = [Traffic(bytearray(noise(50, start=start)), [Passage(9.0, 32_000)]) for start in (0, 200)]
    late = [Passage(0.02 * n + (0.1 if n == 99 else 0.01), 640 * (n + 1)) for n in range(100)]

    found = added(sent, noise(100), [], [others[0], Traffic(bytearray(noise(100)), late), others[1]])

    assert found.to_model == Percentiles(10, 10, 10.9)


def test_a_call_that_only_silence_is_known_of_tells_nothing():
    sent = [Passage(0.0, 640)]

    assert added(sent, bytes(640), [1.0], [Traffic(bytearray(640), [Passage(1.0, 640)], [0.9])]) == Added(
        None, None
    )


def test_the_watch_keeps_audio_of_both_ways_by_session():
    watch = ModelWatch()
    audio = {"data": base64.b64encode(b"\x01\x02").decode(), "mimeType": "audio/pcm;rate=16000"}

    watch.note(Seen(1, True, json.dumps({"setup": {}})))
    watch.note(Seen(1, True, json.dumps({"realtimeInput": {"audio": audio}})))
    watch.note(Seen(1, True, json.dumps({"realtimeInput": {"text": "hello"}})))
    turn = {"serverContent": {"modelTurn": {"parts": [{"inlineData": audio}]}}}
    watch.note(Seen(2, False, json.dumps(turn).encode()))
    watch.note(Seen(2, False, json.dumps({"serverContent": {"turnComplete": True}}).encode()))

    assert bytes(watch.sessions[1].heard) == b"\x01\x02"
    assert [passage.end_bytes for passage in watch.sessions[1].passages] == [2]
    assert len(watch.sessions[2].spoke_s) == 1
