"""The stand-in refuses what the real service refuses, with its words."""

import json

import pytest

from voice.sandbox import strictness
from voice.sandbox.strictness import (
    ActivityMark,
    CallerAudio,
    ContextUpdate,
    Refused,
    Setup,
    StreamEnd,
    Strictness,
    ToolAnswer,
    ToolAnswers,
    Turns,
    Words,
    version_of,
)


def setup(model="models/gemini-3.8-live", generation=None, **more):
    return {
        "model": model,
        "generationConfig": {"responseModalities": ["AUDIO"], **(generation or {})},
        **more,
    }


def begun(**more):
    strict = Strictness()
    strict.take(json.dumps({"setup": setup(**more)}))
    strict.confirmed()
    return strict


def refusal(strict, message):
    with pytest.raises(Refused) as refused:
        strict.take(message if isinstance(message, str | bytes) else json.dumps(message))
    return refused.value.code, refused.value.reason


def tool(**more):
    return {"name": "track", "description": "Tracks.", **more}


def declaring(*tools):
    return {"setup": setup(tools=[{"functionDeclarations": list(tools)}])}


def test_a_setup_comes_out_in_camel_case_in_whichever_spelling_it_came():
    strict = Strictness()

    taken = strict.take(
        json.dumps(
            {
                "setup": {
                    "model": "models/gemini-3.8-live",
                    "generation_config": {
                        "responseModalities": ["AUDIO"],
                        "speechConfig": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
                    },
                    "tools": [
                        {
                            "function_declarations": [
                                tool(
                                    parameters={
                                        "type": "OBJECT",
                                        "properties": {"snake_id": {"type": "STRING"}},
                                    }
                                )
                            ]
                        }
                    ],
                    "context_window_compression": {
                        "trigger_tokens": "25600",
                        "sliding_window": {"target_tokens": 12800},
                    },
                    "session_resumption": None,
                }
            }
        )
    )

    assert isinstance(taken, Setup)
    assert taken.fields["generationConfig"]["speechConfig"] == {
        "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}
    }
    declared = taken.fields["tools"][0]["functionDeclarations"][0]
    assert declared["parameters"]["properties"] == {"snake_id": {"type": "STRING"}}
    assert taken.fields["contextWindowCompression"]["triggerTokens"] == 25_600
    assert "sessionResumption" not in taken.fields
    assert not taken.mute


def test_the_setup_comes_first_and_once():
    audio = {"realtimeInput": {"audioStreamEnd": True}}

    assert refusal(Strictness(), audio) == (1007, strictness.SETUP_ONCE)
    assert refusal(begun(), {"setup": setup()}) == (1007, strictness.SETUP_ONCE)


def test_nothing_may_come_before_the_setup_is_confirmed():
    strict = Strictness()
    strict.take(json.dumps({"setup": setup()}))

    assert refusal(strict, {"realtimeInput": {"text": "hello"}}) == (1007, strictness.INVALID)


def test_the_old_name_of_audio_is_refused_by_name():
    old = {"realtimeInput": {"mediaChunks": [{"mimeType": "audio/pcm;rate=16000", "data": "AAA="}]}}

    assert refusal(begun(), old) == (1007, strictness.MEDIA_CHUNKS)


@pytest.mark.parametrize(
    ("message", "unknown"),
    [
        ({"realtimeInput": {"sound": {}}}, "sound"),
        ({"realtimeInput": {"audio": {"mime-type": "audio/pcm"}}}, "mime-type"),
        ({"realtime_Input": {}}, "realtime_Input"),
        ({"hello": {}}, "hello"),
        ({"toolResponse": {"functionResponses": [{"callId": "1"}]}}, "callId"),
    ],
)
def test_an_unknown_name_is_refused_by_name(message, unknown):
    code, reason = refusal(begun(), message)

    assert code == 1007
    assert f'Unknown name "{unknown}"' in reason


def test_a_setup_may_not_ask_for_what_only_the_other_interface_has():
    code, reason = refusal(Strictness(), {"setup": setup(sessionResumption={"transparent": True})})

    assert code == 1007
    assert "Unknown name \"transparent\" at 'setup.session_resumption'" in reason


@pytest.mark.parametrize(
    "frame",
    [
        json.dumps({"realtimeInput": {"text": "hello"}}).encode(),
        {"realtimeInput": {"text": "hello"}, "clientContent": {}},
        {"realtimeInput": {"text": "hello", "audioStreamEnd": True}},
        {"realtimeInput": {"text": 3}},
        {"realtimeInput": {"activityStart": {}}},
        {"realtimeInput": {"audio": {"mimeType": "audio/wav", "data": "AAA="}}},
        {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000"}}},
        {"clientContent": {"turns": [{"parts": [{"text": "hello"}]}], "turnComplete": True}},
        {"clientContent": {"turns": [{"role": "system", "parts": [{"text": "hello"}]}]}},
        {"toolResponse": {"functionResponses": []}},
        {"toolResponse": {"functionResponses": [{"name": "track", "response": {}}]}},
        {"toolResponse": {"functionResponses": [{"id": "1", "name": "", "response": {}}]}},
        {"toolResponse": {"functionResponses": [{"id": "1", "name": "track", "response": "fine"}]}},
        {},
        [],
    ],
)
def test_what_is_malformed_is_an_invalid_argument(frame):
    assert refusal(begun(), frame) == (1007, strictness.INVALID)


@pytest.mark.parametrize("frame", ["", "{", "[" * 100_000])
def test_what_is_no_json_is_refused(frame):
    assert refusal(begun(), frame) == (1007, "Invalid JSON payload received.")


def test_base64_is_taken_in_both_alphabets():
    strict = begun()

    taken = [
        strict.take(json.dumps({"realtimeInput": {"audio": {"mimeType": kind, "data": data}}}))
        for kind, data in (
            ("audio/pcm;rate=16000", "+/8="),
            ("audio/pcm", "-_8="),
            ("audio/pcm; rate=8000", "-_8="),
        )
    ]

    assert taken == [
        CallerAudio(b"\xfb\xff", 16_000),
        CallerAudio(b"\xfb\xff", 16_000),
        CallerAudio(b"\xfb\xff", 8_000),
    ]


def test_broken_base64_is_refused():
    broken = {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "*"}}}

    code, reason = refusal(begun(), broken)

    assert code == 1007
    assert reason.startswith("Invalid value at 'realtime_input.audio.data'")


def test_the_frames_of_the_vendors_own_client_are_taken():
    strict = begun(
        realtimeInputConfig={
            "automatic_activity_detection": {"disabled": True},
            "activity_handling": "NO_INTERRUPTION",
        }
    )
    frames = [
        {"client_content": {"turns": [{"parts": [{"text": "hi"}], "role": "user"}], "turnComplete": True}},
        {"realtime_input": {"audio": {"data": "-__7__v_-_8=", "mime_type": "audio/pcm;rate=16000"}}},
        {
            "tool_response": {
                "functionResponses": [
                    {
                        "will_continue": False,
                        "scheduling": "INTERRUPT",
                        "id": "c1",
                        "name": "track",
                        "response": {"output": {"eta": 40}},
                    }
                ]
            }
        },
        {"realtime_input": {"audioStreamEnd": True}},
        {"realtime_input": {"activityStart": {}}},
        {"realtime_input": {"text": "hi"}},
        {"contextUpdate": {"systemInstruction": {"parts": [{"text": "hi"}]}, "tools": {"tools": []}}},
    ]

    taken = [strict.take(json.dumps(frame)) for frame in frames]

    assert taken[0] == Turns((("user", "hi"),), complete=True)
    assert isinstance(taken[1], CallerAudio)
    assert taken[2] == ToolAnswers((ToolAnswer("c1", "track", {"output": {"eta": 40}}, "INTERRUPT"),))
    assert taken[3:6] == [StreamEnd(), ActivityMark(started=True), Words("hi")]
    assert isinstance(taken[6], ContextUpdate)


@pytest.mark.parametrize(
    ("model", "generation", "reason"),
    [
        ("gemini-3.8-live", {"responseModalities": ["TEXT"]}, strictness.MODALITIES.format("TEXT")),
        ("gemini-3.8-live", {"thinkingConfig": {"thinkingLevel": "LOW"}}, strictness.THINKING),
        ("gemini-3.8-live-extended-thinking", {}, strictness.INVALID),
        (
            "gemini-3.8-live-extended-thinking",
            {"thinkingConfig": {"thinkingLevel": "MINIMAL"}},
            strictness.INVALID,
        ),
    ],
)
def test_a_model_refuses_what_it_does_not_do(model, generation, reason):
    wrong = {"setup": setup(f"models/{model}", generation)}

    assert refusal(Strictness(), wrong) == (1007, reason)


def test_a_model_that_is_not_known_is_not_found():
    code, reason = refusal(Strictness("v1"), {"setup": setup("models/gemini-0-live")})

    assert code == 1008
    assert reason.startswith("models/gemini-0-live is not found for API version v1, or is not supported")


@pytest.mark.parametrize(
    "more",
    [
        {"generation": {"enableAffectiveDialog": True}},
        {"model": "models/gemini-3.1-flash-live-preview", "proactivity": {"proactiveAudio": True}},
    ],
)
def test_some_wrong_setups_are_never_confirmed(more):
    taken = Strictness().take(json.dumps({"setup": setup(**more)}))

    assert isinstance(taken, Setup)
    assert taken.mute


@pytest.mark.parametrize(
    "tools",
    [
        [tool(), tool()],
        [tool(name="no spaces")],
        [tool(parameters={"type": "OBJECT"}, parametersJsonSchema={})],
        [{"description": "nameless"}],
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(tools):
    assert refusal(Strictness(), declaring(*tools)) == (1007, strictness.INVALID)


def test_a_type_is_spelt_in_capitals():
    code, reason = refusal(Strictness(), declaring(tool(parameters={"type": "object"})))

    assert code == 1007
    assert reason.startswith("Invalid value at 'setup.tools[0].function_declarations[0].parameters.type'")


def test_the_behaviour_of_a_tool_is_what_was_declared_or_what_the_model_does_by_itself():
    strict = begun(tools=[{"functionDeclarations": [tool(), tool(name="move", behavior="BLOCKING")]}])

    assert strict.behaviors == {"track": "NON_BLOCKING", "move": "BLOCKING"}


def test_a_model_that_schedules_nothing_says_so():
    strict = begun(
        model="models/gemini-3.8-live-extended-thinking",
        generation={"thinkingConfig": {"thinkingLevel": "LOW"}},
    )
    answer = {"id": "1", "name": "track", "response": {}, "scheduling": "SILENT"}

    scheduled = refusal(strict, {"toolResponse": {"functionResponses": [answer]}})

    assert scheduled == (1007, strictness.SCHEDULING)


def test_the_older_model_takes_history_only_at_the_start():
    strict = begun(model="models/gemini-3.1-flash-live-preview")
    history = {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "hi"}]}]}}
    strict.take(json.dumps(history))
    strict.take(json.dumps({"realtimeInput": {"text": "hello"}}))

    assert refusal(strict, history) == (1007, strictness.INVALID)


def test_a_reason_fits_into_a_close_frame():
    assert len(Refused(1007, "é" * 100).reason.encode()) <= 123


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", "v1beta"),
        ("/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent?key=k", "v1"),
        ("/ws/google.ai.generativelanguage.v2.GenerativeService.BidiGenerateContent", None),
        ("/", None),
    ],
)
def test_the_version_is_in_the_path(path, version):
    assert version_of(path) == version
