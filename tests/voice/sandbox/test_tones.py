"""What is said in tones can be read back off a telephone line."""

from random import Random

import pytest

from voice.audio import Resampler
from voice.sandbox.tones import decode, encode

TEXT = "Where is my parcel KE-1234? Ça va, habari yako."


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
def test_words_come_back(rate_hz):
    assert decode(encode(TEXT, rate_hz), rate_hz) == TEXT


@pytest.mark.parametrize("seed", range(5))
def test_words_come_back_resampled_late_and_over_noise(seed):
    dice = Random(seed)
    line = Resampler(24_000, 16_000).push(encode(TEXT, 24_000) + bytes(9_600))

    late = bytes(2 * dice.randrange(5_000)) + line
    noisy = bytearray(late)
    noisy[::2] = bytes((low + dice.randrange(100)) % 256 for low in noisy[::2])

    assert decode(bytes(noisy), 16_000) == TEXT


def test_a_gap_costs_no_more_than_the_words_around_it():
    pcm = encode("one two three four five", 16_000)
    gap = len(pcm) // 2 & ~1

    heard = decode(pcm[:gap] + bytes(3_000) + pcm[gap:], 16_000).split()

    assert heard[0] == "one"
    assert heard[-1] == "five"


def test_words_that_are_cut_off_are_told_as_far_as_they_went():
    pcm = encode("one two three", 16_000)

    assert "one two three".startswith(decode(pcm[: len(pcm) * 2 // 3], 16_000))


def test_it_takes_about_as_long_as_a_person():
    words_a_minute = len(TEXT.split()) / (len(encode(TEXT, 16_000)) / 32_000) * 60

    assert 120 < words_a_minute < 300


@pytest.mark.parametrize("pcm", [b"", b"\x01", bytes(32_000), b"\x00\x20" * 16_000])
def test_in_other_sounds_there_are_no_words(pcm):
    assert decode(pcm, 16_000) == ""


def test_in_noise_there_are_no_words():
    assert decode(Random(1).randbytes(64_000), 16_000) == ""


@pytest.mark.parametrize("gap_ms", [3, 20, 250, 600])
@pytest.mark.parametrize("at", [1_000, 4_321, 9_999, 15_360])
def test_a_gap_in_a_word_is_passed_over(gap_ms, at):
    text = "Hello, our office has moved."
    pcm = encode(text, 16_000)
    cut = 2 * (at + len(pcm) // 6)

    assert decode(pcm[:cut] + bytes(32 * gap_ms) + pcm[cut:], 16_000) == text
