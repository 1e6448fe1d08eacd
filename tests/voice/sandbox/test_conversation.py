"""A conversation with the stand-in goes as one with the real service, in virtual time."""

import asyncio
import json
from base64 import b64decode, b64encode
from random import Random

import pytest

from tests.virtual_time import run
from voice.sandbox import strictness
from voice.sandbox.brain import SILENCE, FunctionCall, Reply, SpeechEnded, SpeechStarted, Voice
from voice.sandbox.conversation import Conversation, Past
from voice.sandbox.strictness import Strictness
from voice.sandbox.timing import Timing

LOUD = b"\x01\x01" * 320
QUIET = bytes(640)


class Ears:
    """Take 20 ms for loud or quiet at its word: a change of it begins and ends an utterance."""

    def __init__(self):
        self.fed_s = 0.0
        self.spoken = b""

    def feed(self, pcm):
        self.fed_s += len(pcm) / 32_000
        if any(pcm):
            begins, self.spoken = not self.spoken, self.spoken + pcm
            return [SpeechStarted(self.fed_s)] if begins else []
        spoken, self.spoken = self.spoken, b""
        return [SpeechEnded(spoken, self.fed_s)] if spoken else []

    async def read(self, pcm):
        return f"{len(pcm) // 640} frames"


class Mouth:
    """Speak for as many seconds as the sentence says in its first word."""

    async def speak(self, text):
        return b"\x07\x00" * int(24_000 * float(text.split(" ")[0]))


class Brain:
    def __init__(self, **replies):
        self.replies = replies
        self.met = []
        self.dropped = []

    async def nudged(self, text):
        self.met.append(text)
        return self.replies.get("nudged", SILENCE)

    async def heard(self, utterance):
        self.met.append(utterance)
        return self.replies.get("heard", SILENCE)

    async def answered(self, name, call_id, response):
        self.met.append((name, call_id, response))
        return self.replies.get("answered", SILENCE)

    def interrupted(self, dropped):
        self.dropped.append(dropped)


class Client:
    """The client's end: what is put is sent, what comes is kept with its time."""

    def __init__(self):
        self.frames: asyncio.Queue[str | None] = asyncio.Queue()
        self.got = []
        self.closed = None

    async def __aiter__(self):
        while (frame := await self.frames.get()) is not None:
            yield frame

    def put(self, message):
        self.frames.put_nowait(json.dumps(message))

    def say(self, pcm):
        data = b64encode(pcm).decode()
        self.put({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}})

    def answer(self, call_id, name="track", **more):
        answer = {"id": call_id, "name": name, "response": {"output": "fine"}, **more}
        self.put({"toolResponse": {"functionResponses": [answer]}})

    async def send(self, frame):
        self.got.append((asyncio.get_running_loop().time(), json.loads(frame)))

    async def close(self, code, reason):
        self.closed = (code, reason)

    def times(self, kind):
        return [at_s for at_s, message in self.got if kind in names(message)]


def names(message):
    return {*message} - {"serverContent"} | {*message.get("serverContent", {})}


def setup(**more):
    return {
        "setup": {
            "model": "models/gemini-3.8-live",
            "generationConfig": {"responseModalities": ["AUDIO"]},
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            **more,
        }
    }


def tools(behavior):
    return [{"functionDeclarations": [{"name": "track", "behavior": behavior}]}]


def hold(scenario, *, brain=None, timing=None, pasts=None, **more):
    """Hold a conversation of which `scenario` is the client, from a second after the setup."""

    async def conversation():
        client = Client()
        held = Conversation(
            client,
            Voice(lambda _: brain or Brain(), lambda _: Ears(), Mouth()),
            strict=Strictness(),
            pasts={} if pasts is None else pasts,
            dice=Random(1),
            timing=timing or Timing(),
        )

        async def act():
            client.put(setup(**more))
            await asyncio.sleep(1)
            await scenario(client)
            client.frames.put_nowait(None)

        acting = asyncio.create_task(act())
        await held.run()
        acting.cancel()
        return client

    return run(conversation())


def pcm_in(client):
    parts = [
        part["inlineData"]["data"]
        for _, message in client.got
        for part in message.get("serverContent", {}).get("modelTurn", {}).get("parts", [])
    ]
    return b"".join(map(b64decode, parts))


def text_in(client, kind):
    contents = [message.get("serverContent", {}) for _, message in client.got]
    return "".join(content[kind]["text"] for content in contents if kind in content)


async def nudge(client, wait_s=30.0):
    client.put({"realtimeInput": {"text": "Greet."}})
    await asyncio.sleep(wait_s)


def test_the_setup_is_confirmed_in_good_time_and_a_handle_follows():
    async def scenario(client):
        await asyncio.sleep(1)

    client = hold(scenario)

    assert client.got[0] == (0.25, {"setupComplete": {}})
    assert client.got[1][0] == 0.4
    assert client.got[1][1]["sessionResumptionUpdate"]["resumable"] is True


def test_speech_comes_too_fast_and_its_turn_is_over_when_it_would_have_been_heard():
    client = hold(nudge, brain=Brain(nudged=Reply(say="10 seconds of speech")))

    spoken_s = client.times("modelTurn")
    assert len(pcm_in(client)) == 480_000
    assert text_in(client, "outputTranscription") == "10 seconds of speech"
    assert 1.9 < spoken_s[-1] - spoken_s[0] < 2.5
    assert client.times("generationComplete") == [spoken_s[-1]]
    assert client.times("turnComplete") == pytest.approx([spoken_s[0] + 10])


def test_each_turn_is_billed_with_its_end():
    client = hold(nudge, brain=Brain(nudged=Reply(say="4 seconds")))

    ((_, last),) = [(at_s, message) for at_s, message in client.got if "usageMetadata" in message]
    usage = last["usageMetadata"]
    assert "turnComplete" in last["serverContent"]
    assert usage["responseTokensDetails"] == [{"modality": "AUDIO", "tokenCount": 100}]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["responseTokenCount"]


def test_a_caller_is_transcribed_and_answered():
    async def scenario(client):
        for pcm in [LOUD] * 10 + [QUIET] * 5:
            client.say(pcm)
            await asyncio.sleep(0.02)
        await asyncio.sleep(5)

    brain = Brain(heard=Reply(say="1 second"))
    client = hold(scenario, brain=brain)

    order = [name for _, message in client.got for name in names(message)]
    assert brain.met == ["10 frames"]
    assert text_in(client, "inputTranscription") == "10 frames"
    assert order.index("inputTranscription") < order.index("modelTurn")
    assert [message["voiceActivity"]["type"] for _, message in client.got if "voiceActivity" in message] == [
        "ACTIVITY_START",
        "ACTIVITY_END",
    ]


def test_nothing_is_transcribed_that_the_setup_did_not_ask_for():
    async def scenario(client):
        client.say(LOUD)
        client.say(QUIET)
        await asyncio.sleep(5)

    client = hold(
        scenario,
        brain=Brain(heard=Reply(say="1 second")),
        inputAudioTranscription=None,
        outputAudioTranscription=None,
    )

    assert pcm_in(client)
    assert not client.times("inputTranscription")
    assert not client.times("outputTranscription")


def test_whoever_speaks_over_the_model_silences_it_at_once():
    async def scenario(client):
        await nudge(client, wait_s=1.0)
        client.say(LOUD)
        await asyncio.sleep(20)

    brain = Brain(nudged=Reply(say="10 seconds", then=Reply(say="1 more")))
    client = hold(scenario, brain=brain)

    (cut_s,) = client.times("interrupted")
    assert cut_s == 2
    assert client.times("modelTurn")[-1] <= cut_s
    assert len(pcm_in(client)) < 480_000
    assert client.times("turnComplete") == [cut_s]
    assert not client.times("generationComplete")
    assert brain.dropped == [()]


def test_the_model_can_be_cut_off_while_it_is_only_being_listened_to():
    async def scenario(client):
        await nudge(client, wait_s=8.0)
        client.say(LOUD)
        await asyncio.sleep(20)

    client = hold(scenario, brain=Brain(nudged=Reply(say="10 seconds")))

    assert client.times("generationComplete")
    assert client.times("interrupted") == client.times("turnComplete") == [9]


def test_a_turn_that_is_over_is_not_interrupted():
    async def scenario(client):
        await nudge(client, wait_s=11.0)
        client.say(LOUD)
        await asyncio.sleep(1)

    client = hold(scenario, brain=Brain(nudged=Reply(say="10 seconds")))

    assert not client.times("interrupted")


def test_the_model_goes_on_when_it_may_not_be_interrupted():
    async def scenario(client):
        await nudge(client, wait_s=1.0)
        client.say(LOUD)
        await asyncio.sleep(20)

    client = hold(
        scenario,
        brain=Brain(nudged=Reply(say="10 seconds")),
        realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"},
    )

    assert len(pcm_in(client)) == 480_000
    assert not client.times("interrupted")


def test_the_model_waits_with_its_answer_while_the_caller_speaks():
    async def scenario(client):
        client.say(LOUD)
        await nudge(client, wait_s=3.0)
        client.say(QUIET)
        await asyncio.sleep(3)

    client = hold(scenario, brain=Brain(nudged=Reply(say="1 second")))

    assert client.times("modelTurn")[0] == 4


def test_a_tool_is_called_in_one_instant_and_its_answer_is_spoken_of():
    async def scenario(client):
        await nudge(client, wait_s=2.0)
        client.answer("c1")
        await asyncio.sleep(5)

    call = FunctionCall("track", {"id": "7"}, "c1")
    brain = Brain(nudged=Reply(calls=(call,)), answered=Reply(say="1 second"))
    client = hold(scenario, brain=brain, tools=tools("BLOCKING"))

    (call_s,) = client.times("toolCall")
    (frame,) = [message["toolCall"] for _, message in client.got if "toolCall" in message]
    assert frame == {"functionCalls": [{"id": "c1", "name": "track", "args": {"id": "7"}}]}
    assert client.times("generationComplete")[0] == client.times("turnComplete")[0] == call_s
    assert brain.met == ["Greet.", ("track", "c1", {"output": "fine"})]
    assert client.times("modelTurn")[0] == 3


def test_a_call_without_an_id_is_given_one():
    client = hold(
        nudge, brain=Brain(nudged=Reply(calls=(FunctionCall("track", {}), FunctionCall("track", {}))))
    )

    (frame,) = [message["toolCall"] for _, message in client.got if "toolCall" in message]
    ids = {call["id"] for call in frame["functionCalls"]}
    assert len(ids) == 2
    assert all(ids)


@pytest.mark.parametrize(("call_id", "name"), [("c2", "track"), ("c1", "move")])
def test_an_answer_to_a_call_that_never_was_is_refused(call_id, name):
    async def scenario(client):
        await nudge(client, wait_s=2.0)
        client.answer(call_id, name)
        await asyncio.sleep(5)

    client = hold(scenario, brain=Brain(nudged=Reply(calls=(FunctionCall("track", {}, "c1"),))))

    assert client.closed == (1007, strictness.INVALID)


def test_a_second_answer_to_one_call_changes_nothing():
    async def scenario(client):
        await nudge(client, wait_s=2.0)
        client.answer("c1", willContinue=True)
        client.answer("c1")
        client.answer("c1")
        await asyncio.sleep(5)

    brain = Brain(nudged=Reply(calls=(FunctionCall("track", {}, "c1"),)))
    client = hold(scenario, brain=brain)

    assert len(brain.met) == 3
    assert client.closed is None


def test_a_caller_who_speaks_drops_a_blocking_call_and_nobody_is_told_of_its_answer():
    async def scenario(client):
        await nudge(client, wait_s=2.0)
        client.say(LOUD)
        client.answer("c1")
        await asyncio.sleep(5)

    call = FunctionCall("track", {}, "c1")
    brain = Brain(nudged=Reply(calls=(call,)))
    client = hold(scenario, brain=brain, tools=tools("BLOCKING"))

    assert brain.dropped == [(call,)]
    assert brain.met == ["Greet."]
    assert client.closed is None
    assert not client.times("toolCallCancellation")


def test_a_caller_who_speaks_drops_no_other_call():
    async def scenario(client):
        await nudge(client, wait_s=2.0)
        client.say(LOUD)
        client.answer("c1")
        await asyncio.sleep(5)

    brain = Brain(nudged=Reply(calls=(FunctionCall("track", {}, "c1"),)))
    hold(scenario, brain=brain, tools=tools("NON_BLOCKING"))

    assert brain.met[1] == ("track", "c1", {"output": "fine"})


def test_the_model_says_nothing_while_a_blocking_call_is_open():
    async def scenario(client):
        await nudge(client, wait_s=2.0)
        brain.replies["nudged"] = Reply(say="1 second")
        await nudge(client, wait_s=10.0)
        client.answer("c1")
        await asyncio.sleep(5)

    brain = Brain(nudged=Reply(calls=(FunctionCall("track", {}, "c1"),)))
    client = hold(scenario, brain=brain, tools=tools("BLOCKING"))

    assert client.times("modelTurn")[0] == 13


@pytest.mark.parametrize(
    ("scheduling", "spoken_s", "cut"),
    [("WHEN_IDLE", 11, False), ("INTERRUPT", 3, True), ("SILENT", None, False)],
)
def test_an_answer_is_spoken_of_when_it_is_scheduled(scheduling, spoken_s, cut):
    async def scenario(client):
        await nudge(client, wait_s=2.0)
        client.answer("c1", scheduling=scheduling)
        await asyncio.sleep(30)

    call = FunctionCall("track", {}, "c1")
    brain = Brain(
        nudged=Reply(calls=(call,), then=Reply(say="10 seconds")),
        answered=Reply(calls=(FunctionCall("track", {}, "c2"),)),
    )
    client = hold(scenario, brain=brain)

    assert client.times("toolCall")[1:] == ([] if spoken_s is None else [pytest.approx(spoken_s)])
    assert bool(client.times("interrupted")) is cut


def test_a_question_in_writing_cuts_the_model_off_and_history_does_not():
    async def scenario(client):
        await nudge(client, wait_s=2.0)
        turn = {"role": "user", "parts": [{"text": "Stop."}]}
        client.put({"clientContent": {"turns": [turn]}})
        await asyncio.sleep(2)
        client.put({"clientContent": {"turns": [turn], "turnComplete": True}})
        await asyncio.sleep(2)

    brain = Brain(nudged=Reply(say="10 seconds"))
    client = hold(scenario, brain=brain)

    assert client.times("interrupted") == [5]
    assert brain.met == ["Greet.", "Stop."]


def test_what_is_announced_as_history_is_not_answered():
    async def scenario(client):
        turn = {"role": "user", "parts": [{"text": "Long ago."}]}
        client.put({"clientContent": {"turns": [turn], "turnComplete": True}})
        await nudge(client)

    brain = Brain()
    hold(scenario, brain=brain, historyConfig={"initialHistoryInClientContent": True})

    assert brain.met == ["Greet."]


def test_raw_frames_and_a_close_fall_into_the_middle_of_a_turn():
    async def scenario(client):
        await nudge(client, wait_s=1.0)
        brain.replies["nudged"] = Reply(
            raw=({"goAway": {"timeLeft": "5s"}}, '{"odd": 1}'), wait_s=0.5, then=end
        )
        await nudge(client, wait_s=30.0)

    end = Reply(close=(1011, "The service is currently unavailable."), wait_s=1.0)
    brain = Brain(nudged=Reply(say="10 seconds"))
    client = hold(scenario, brain=brain)

    assert client.times("goAway") == [2.5]
    assert client.got[-1][1] != {"serverContent": {"turnComplete": True}}
    assert client.closed == (1011, "The service is currently unavailable.")


def test_by_hand_the_client_says_when_the_caller_speaks():
    async def scenario(client):
        client.say(LOUD)
        client.put({"realtimeInput": {"activityStart": {}}})
        client.say(LOUD)
        client.say(QUIET)
        client.put({"realtimeInput": {"activityEnd": {}}})
        await asyncio.sleep(1)

    brain = Brain()
    hold(scenario, brain=brain, realtimeInputConfig={"automaticActivityDetection": {"disabled": True}})

    assert brain.met == ["2 frames"]


def test_audio_of_another_rate_is_heard_at_16_khz():
    async def scenario(client):
        data = b64encode(LOUD).decode()
        for _ in range(10):
            client.put({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=8000", "data": data}}})
        client.say(QUIET)
        await asyncio.sleep(1)

    brain = Brain()
    hold(scenario, brain=brain)

    (heard,) = brain.met
    assert 18 <= int(heard.split()[0]) <= 20


def test_a_wrong_frame_ends_it_with_the_services_words():
    async def scenario(client):
        client.put({"realtimeInput": {"mediaChunks": []}})
        await asyncio.sleep(1)

    assert hold(scenario).closed == (1007, strictness.MEDIA_CHUNKS)


def test_a_setup_that_confuses_the_model_is_never_confirmed():
    async def scenario(client):
        await asyncio.sleep(60)

    client = hold(scenario, generationConfig={"responseModalities": ["AUDIO"], "enableAffectiveDialog": True})

    assert client.got == []
    assert client.closed is None


def test_a_connection_that_grows_old_is_warned_and_closed():
    async def scenario(client):
        await asyncio.sleep(100)

    client = hold(scenario, timing=Timing(life_s=30, notice_s=10))

    assert client.times("goAway") == [20.25]
    assert client.closed == (1011, strictness.DEADLINE)


def test_a_brain_that_is_restless_speaks_by_itself():
    class Restless(Brain):
        async def unprompted(self):
            await asyncio.sleep(5)
            yield Reply(say="1 second")

    async def scenario(client):
        await asyncio.sleep(10)

    client = hold(scenario, brain=Restless())

    assert client.times("modelTurn")[0] == 5.25


def handle_of(client):
    (update,) = [message for _, message in client.got if "sessionResumptionUpdate" in message]
    return update["sessionResumptionUpdate"]["newHandle"]


def test_a_conversation_is_taken_up_again_with_its_handle():
    async def end(client):
        await nudge(client, wait_s=2.0)

    async def answer_late(client):
        client.answer("c1")
        await asyncio.sleep(1)

    pasts: dict[str, Past] = {}
    brain = Brain(nudged=Reply(calls=(FunctionCall("track", {}, "c1"),)))
    first = hold(end, brain=brain, pasts=pasts)
    later = Timing(setup_s=5.0)  # a new loop counts from nought

    async def wait_first(client):
        await asyncio.sleep(5)
        await answer_late(client)

    second = hold(
        wait_first, pasts=pasts, timing=later, brain=Brain(), sessionResumption={"handle": handle_of(first)}
    )

    assert second.closed is None
    assert brain.met[-1] == ("track", "c1", {"output": "fine"})


def test_a_handle_is_refused_when_it_is_not_known_or_too_fresh():
    async def end(client):
        await asyncio.sleep(1)

    pasts: dict[str, Past] = {}
    first = hold(end, pasts=pasts)

    unknown = hold(end, pasts=pasts, sessionResumption={"handle": "what"})
    fresh = hold(end, pasts=pasts, sessionResumption={"handle": handle_of(first)})

    assert unknown.closed == (1008, strictness.NO_ENTITY)
    assert fresh.closed == (1011, strictness.INTERNAL)
