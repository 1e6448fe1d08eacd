"""Recordings are made from the texts beside them, where there is a voice for it."""

import importlib.util
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from voice import clips


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("hibari"), reason="the offline voice is not installed")
def test_a_text_in_english_becomes_a_recording_and_others_wait_for_one(tmp_path: Path):
    for language in ("en", "sw"):
        (tmp_path / language).mkdir()
        (tmp_path / language / "filler.txt").write_text("One moment.\n")
    out = StringIO()

    call_command("make_clips", tmp_path, stdout=out)

    made = clips.load("en", str(tmp_path))["filler"]
    assert made.words == "One moment."
    assert 0.3 < len(made.pcm) / 32_000 < 4
    assert "sw/filler: nobody here speaks that" in out.getvalue()


def test_what_is_there_is_left_alone(tmp_path: Path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "filler.txt").write_text("One moment.\n")
    (tmp_path / "en" / "filler.wav").write_bytes(b"the courier's own")

    call_command("make_clips", tmp_path)

    assert (tmp_path / "en" / "filler.wav").read_bytes() == b"the courier's own"
