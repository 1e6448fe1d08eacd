"""Turns are merged by speaker, keep their times and lose no word."""

from voice.transcript import TURN_CHARACTERS, Transcript


def test_pieces_of_one_speaker_become_one_turn():
    transcript = Transcript()

    transcript.add("agent", "Your parcel", 100)
    transcript.add("agent", " is on its way.", 300)
    (turn,) = transcript.close()

    assert (turn.position, turn.speaker, turn.text) == (0, "agent", "Your parcel is on its way.")
    assert (turn.started_ms, turn.ended_ms) == (100, 300)


def test_the_other_side_speaking_ends_a_turn():
    transcript = Transcript()

    transcript.add("caller", "Where is it?", 100)
    (caller,) = transcript.add("agent", "Let me look.", 900)
    (agent,) = transcript.close()

    assert (caller.position, caller.speaker, caller.text) == (0, "caller", "Where is it?")
    assert (agent.position, agent.speaker, agent.text) == (1, "agent", "Let me look.")


def test_only_the_agent_is_interrupted():
    transcript = Transcript()

    transcript.add("agent", "Your parcel is", 100)
    (agent,) = transcript.close(interrupted=True)
    transcript.add("caller", "Wait", 200)
    (caller,) = transcript.close(interrupted=True)

    assert agent.interrupted
    assert not caller.interrupted


def test_blank_pieces_open_no_turn():
    transcript = Transcript()

    transcript.add("caller", " \n", 100)

    assert transcript.close() == []


def test_a_turn_that_never_ends_is_kept_in_several_of_which_no_word_is_lost():
    transcript, kept = Transcript(), []

    for number in range(5_000):
        kept += transcript.add("agent", f" {number}", number)
        assert len(transcript.agent_says) <= TURN_CHARACTERS
    kept += transcript.close()

    assert [turn.position for turn in kept] == list(range(len(kept)))
    assert " ".join(turn.text for turn in kept).split() == [str(number) for number in range(5_000)]
