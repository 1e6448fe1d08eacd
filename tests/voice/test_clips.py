"""Our own recordings: which there are, which is taken, and what cannot be one."""

import wave
from pathlib import Path

import pytest

from voice import clips

LANGUAGES = ("en", "sw", "fr")


def record(path: Path, seconds: float = 0.5, rate_hz: int = 16_000, channels: int = 1) -> bytes:
    """Write a recording, and return its PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = b"\x07\x00" * round(seconds * rate_hz) * channels
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm)
    return pcm


def test_every_recording_is_there_in_english_with_its_words():
    found = clips.load("en")

    assert tuple(found) == clips.NAMES
    for name, clip in found.items():
        assert 1 < len(clip.pcm) / 32_000 < 8, name
        assert clip.words


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_words_to_be_recorded(language: str):
    words = {name: (clips.OURS / language / f"{name}.txt").read_text().strip() for name in clips.NAMES}

    assert all(words.values())
    assert "AI" in words["greeting"] or "IA" in words["greeting"]


@pytest.mark.parametrize("language", ["sw", "fr-FR", "tlh", ""])
def test_what_is_missing_in_a_language_is_said_in_english(language: str):
    assert clips.load(language)["goodbye"].words == "Thank you for calling. Goodbye."


def test_a_couriers_own_recordings_go_before_ours(tmp_path: Path):
    own = record(tmp_path / "en" / "filler.wav")
    (tmp_path / "en" / "filler.txt").write_text("Hold on.\n")

    found = clips.load("en", str(tmp_path))

    assert found["filler"] == clips.Clip("Hold on.", own)
    assert found["goodbye"] == clips.load("en")["goodbye"]


def test_a_couriers_own_english_goes_behind_our_own_of_the_language_and_before_our_english(tmp_path: Path):
    record(tmp_path / "en" / "filler.wav")

    assert clips.load("sw", str(tmp_path))["filler"].words == "[filler]"


@pytest.mark.parametrize("shape", [{"rate_hz": 8_000}, {"channels": 2}])
def test_a_recording_of_another_shape_is_refused(tmp_path: Path, shape: dict[str, int]):
    record(tmp_path / "en" / "filler.wav", **shape)

    with pytest.raises(clips.ClipError, match="not 16 kHz"):
        clips.load("en", str(tmp_path))


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "filler.wav").write_bytes(b"not a recording")

    with pytest.raises(clips.ClipError):
        clips.load("en", str(tmp_path))
