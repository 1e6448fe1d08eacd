"""An utterance is laid out as the real service was seen to send it."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from voice.sandbox.delivery import deliver

TEXT = "Your parcel is in Nairobi and will be with you today."


def pcm(seconds):
    return bytes(range(1, 251)) * (int(seconds * 48_000) // 250)


@given(seed=st.integers(0, 10_000), seconds=st.floats(0.1, 20))
def test_all_of_it_comes_in_pieces_of_40_to_680_ms_four_to_five_times_too_fast(seed, seconds):
    speech = pcm(seconds)

    delivery = deliver(speech, TEXT, Random(seed))

    pieces = delivery.pieces
    lengths = [sum(map(len, piece.parts)) for piece in pieces]
    assert b"".join(part for piece in pieces for part in piece.parts) == speech
    assert "".join(piece.words for piece in pieces) == TEXT
    assert all(1920 <= length <= 32_640 for length in lengths[:-1])
    assert pieces[0].at_s == 0
    assert delivery.over_s == len(speech) / 48_000
    before_s = sum(lengths[:-1]) / 48_000
    assert before_s / 5.0001 <= pieces[-1].at_s <= before_s / 3.9999


def test_the_same_dice_lay_out_the_same():
    assert deliver(pcm(5), TEXT, Random(1)) == deliver(pcm(5), TEXT, Random(1))
    assert deliver(pcm(5), TEXT, Random(1)) != deliver(pcm(5), TEXT, Random(2))


def test_some_pieces_come_in_two_parts_and_some_of_those_end_within_a_sample():
    pieces = deliver(pcm(60), TEXT, Random(1)).pieces

    split = [piece.parts for piece in pieces if len(piece.parts) == 2]

    assert split
    assert any(len(first) % 2 for first, _ in split)
    assert all((len(first) + len(second)) % 2 == 0 for first, second in split)


def test_words_without_a_voice_are_told_at_once():
    delivery = deliver(b"", TEXT, Random(1))

    assert [(piece.at_s, piece.parts, piece.words) for piece in delivery.pieces] == [(0.0, (), TEXT)]
    assert delivery.over_s == 0
