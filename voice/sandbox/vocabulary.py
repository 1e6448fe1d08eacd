"""List every field that a client of the real service may send, as one table (gemini-live.md §2); pure."""

from collections.abc import Mapping

from voice.sandbox.shapes import (
    Shape,
    anything,
    base64,
    fields,
    free,
    named,
    number,
    one_of,
    several,
    struct,
    text,
    truth,
    whole,
)

_BLOB = fields(mimeType=text, data=base64, displayName=text)
_PART = fields(
    text=text,
    thought=truth,
    thoughtSignature=text,
    inlineData=_BLOB,
    functionCall=fields(id=text, name=text, args=free),
    functionResponse=fields(id=text, name=text, response=free),
)
_CONTENT = fields(role=text, parts=several(_PART))

_SCHEMA_FIELDS: dict[str, Shape] = {
    "type": one_of("OBJECT", "STRING", "INTEGER", "NUMBER", "BOOLEAN", "ARRAY", "NULL"),
    "format": text,
    "title": text,
    "description": text,
    "nullable": truth,
    "enum": several(text),
    "required": several(text),
    "propertyOrdering": several(text),
    "minItems": whole,
    "maxItems": whole,
    "minProperties": whole,
    "maxProperties": whole,
    "minLength": whole,
    "maxLength": whole,
    "minimum": number,
    "maximum": number,
    "pattern": text,
    "default": anything,
    "example": anything,
}
_SCHEMA = struct(_SCHEMA_FIELDS)
_SCHEMA_FIELDS |= {"items": _SCHEMA, "properties": named(_SCHEMA), "anyOf": several(_SCHEMA)}

_TOOL = fields(
    functionDeclarations=several(
        fields(
            name=text,
            description=text,
            behavior=one_of("BLOCKING", "NON_BLOCKING"),
            parameters=_SCHEMA,
            parametersJsonSchema=free,
            response=_SCHEMA,
            responseJsonSchema=free,
        )
    ),
    googleSearch=free,
    codeExecution=free,
    urlContext=free,
)

_VOICE = fields(prebuiltVoiceConfig=fields(voiceName=text))
_GENERATION = fields(
    responseModalities=several(one_of("AUDIO", "TEXT", "IMAGE")),
    temperature=number,
    topP=number,
    topK=number,
    maxOutputTokens=whole,
    seed=whole,
    mediaResolution=one_of("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"),
    speechConfig=fields(voiceConfig=_VOICE, languageCode=text),
    thinkingConfig=fields(
        thinkingLevel=one_of("MINIMAL", "LOW", "MEDIUM", "HIGH"), includeThoughts=truth, thinkingBudget=whole
    ),
    enableAffectiveDialog=truth,
    translationConfig=fields(targetLanguageCode=text, echoTargetLanguage=truth),
)
_TRANSCRIPTION = fields(
    languageCodes=several(text),
    customVocabulary=several(text),
    mode=text,
    wordTimestamp=truth,
    diarization=truth,
)
_SETUP = fields(
    model=text,
    generationConfig=_GENERATION,
    systemInstruction=_CONTENT,
    tools=several(_TOOL),
    realtimeInputConfig=fields(
        automaticActivityDetection=fields(
            disabled=truth,
            startOfSpeechSensitivity=one_of("START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"),
            endOfSpeechSensitivity=one_of("END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"),
            prefixPaddingMs=whole,
            silenceDurationMs=whole,
        ),
        activityHandling=one_of("START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"),
        turnCoverage=one_of(
            "TURN_INCLUDES_ONLY_ACTIVITY",
            "TURN_INCLUDES_ALL_INPUT",
            "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
        ),
        interimTranscriptTimestampEnabled=truth,
    ),
    inputAudioTranscription=_TRANSCRIPTION,
    outputAudioTranscription=_TRANSCRIPTION,
    sessionResumption=fields(handle=text),
    contextWindowCompression=fields(triggerTokens=whole, slidingWindow=fields(targetTokens=whole)),
    historyConfig=fields(initialHistoryInClientContent=truth),
    proactivity=fields(proactiveAudio=truth),
    safetySettings=several(fields(category=text, threshold=text, method=text)),
    labels=named(text),
    avatarConfig=free,
)
_REALTIME = fields(
    audio=_BLOB,
    text=text,
    video=_BLOB,
    audioStreamEnd=truth,
    activityStart=fields(),
    activityEnd=fields(),
    mediaChunks=anything,
)
_CLIENT_CONTENT = fields(turns=several(_CONTENT), turnComplete=truth)
_TOOL_RESPONSE = fields(
    functionResponses=several(
        fields(
            id=text,
            name=text,
            response=free,
            scheduling=one_of("INTERRUPT", "WHEN_IDLE", "SILENT"),
            willContinue=truth,
        )
    )
)
_CONTEXT_UPDATE = fields(systemInstruction=_CONTENT, tools=fields(tools=several(_TOOL)))

MESSAGES: Mapping[str, Shape] = {
    "setup": _SETUP,
    "realtimeInput": _REALTIME,
    "clientContent": _CLIENT_CONTENT,
    "toolResponse": _TOOL_RESPONSE,
    "contextUpdate": _CONTEXT_UPDATE,
}
"""What a client may send: one of these a frame."""
