"""Whether the offline voice can be understood, by its own ears and over a telephone's rate."""

import asyncio

import pytest

from tests.hearing import needs_speech
from voice.audio import Resampler
from voice.sandbox.brain import SpeechEnded, SpeechStarted
from voice.sandbox.offline import offline_voice

pytestmark = [pytest.mark.slow, needs_speech]


def spoken(text: str, pitch: float = 1.0) -> bytes:
    """Return a sentence at the telephone's 16 kHz, with silence around it."""
    from voice.sandbox.mouth import OfflineMouth  # noqa: PLC0415 - only where the extra is installed

    resampler = Resampler(24_000, 16_000)
    pcm = asyncio.run(OfflineMouth(pitch).speak(text))
    return bytes(16_000) + resampler.push(pcm) + resampler.flush() + bytes(32_000)


def heard(pcm: bytes) -> str:
    """Return what the ears make of a recording."""
    from voice.sandbox.ears import transcribe  # noqa: PLC0415 - only where the extra is installed

    return asyncio.run(transcribe(pcm)).lower()


@pytest.mark.parametrize("pitch", [0.9, 1.0, 1.12])
def test_every_voice_is_understood(pitch):
    words = heard(spoken("Please move my parcel to Friday morning.", pitch))

    assert "move my parcel to friday morning" in words


def test_a_number_that_is_read_out_is_understood():
    words = heard(spoken("The number is K M four two seven nine."))

    assert "km4279" in "".join(filter(str.isalnum, words))


def test_silence_and_hiss_say_nothing():
    hiss = bytes((n * 7919) % 5 if n % 2 == 0 else 0 for n in range(96_000))

    assert heard(bytes(96_000)) == ""
    assert heard(hiss) == ""


def test_a_turn_begins_and_ends_where_the_speech_does():
    pcm = spoken("Where is my parcel?")
    ears = offline_voice().ears_factory({})
    events = [event for at in range(0, len(pcm), 640) for event in ears.feed(pcm[at : at + 640])]

    started, ended = events
    assert isinstance(started, SpeechStarted)
    assert isinstance(ended, SpeechEnded)
    assert 0.4 <= started.offset_s <= 0.9
    assert ended.offset_s - started.offset_s <= 2.5


def test_the_same_words_sound_the_same():
    assert spoken("Hello.") == spoken("Hello.")
