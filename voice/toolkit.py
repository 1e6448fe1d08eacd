"""Say what a tool is: a declaration for the model, a check of its arguments, a level, and what it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from django.contrib.auth.models import User

from voice.errors import ToolError
from voice.levels import Level, Proof, Standing, level_of

ARGUMENTS_LIMIT = 4096
"""Characters of all arguments of one call together."""

UNHEARD = "I did not get that. Please say it again."
TOO_LONG = "That is too long for me. Please say it in a few words."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who this call is, from its row and never from the model.

    `number` is E.164 and "" until somebody vouches for it; `claimed` is what the call says it comes from,
    and good for nothing but what concerns that number alone. `tester` is the member of staff who plays the
    caller: such a call reaches demo parcels only.
    """

    call_public_id: str
    number: str
    language: str = "en"
    claimed: str = ""
    outbound: bool = False
    agreed: bool = False
    tester: User | None = None
    about: int | None = None
    """The parcel that we rang about: it is the one that is meant where none is named."""
    driver: int | None = None
    """The driver on shift whose number this is, once his shift PIN was right in this call."""

    @property
    def is_test(self) -> bool:
        """Whether this call is a member of staff trying the line out."""
        return self.tester is not None

    def level(self, *, named_facts: bool = False, code: bool = False, shift: bool = False) -> Level:
        """Return how far this call is trusted, given what it showed of one parcel."""
        # That a number stands here says that it is proved, whoever did it.
        proof = Proof.WORD if self.number else Proof.NOBODY
        return level_of(Standing(self.number, proof, self.outbound, named_facts, self.agreed, code, shift))


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument of a tool: a text of at most `limit` characters; `question` asks the caller for it."""

    name: str
    description: str
    limit: int
    required: bool = False
    question: str = ""


Deed = Callable[[Caller, Mapping[str, str], str], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the model may have done; `run` takes caller, checked arguments and business key.

    Nothing of a `private` tool's arguments is kept anywhere.
    """

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    run: Deed
    level: Level = Level.L0
    changes: bool = False
    step: Literal["", "prepare", "confirm"] = ""
    """Whether it proposes something to be read back, or carries out what was."""
    private: bool = False
    for_anybody: bool = False
    """Whether it may be used in a call that we placed before the recipient is known to be on the line."""
    behavior: Literal["BLOCKING", "NON_BLOCKING"] = "BLOCKING"

    def declaration(self) -> dict[str, object]:
        """Return the function declaration for the model's setup."""
        return {
            "name": self.name,
            "description": self.description,
            "behavior": self.behavior,
            "parameters": {
                "type": "OBJECT",
                "properties": {
                    parameter.name: {"type": "STRING", "description": parameter.description}
                    for parameter in self.parameters
                },
                "required": [parameter.name for parameter in self.parameters if parameter.required],
            },
        }

    def checked(self, args: object) -> dict[str, str]:
        """Return the arguments that were given, each a text within its limit.

        Raises:
            ToolError: one is unknown, missing, too long or no text, with words for the caller.
        """
        if args is None:
            args = {}
        if not isinstance(args, Mapping):
            raise ToolError(UNHEARD)
        parameters = {parameter.name: parameter for parameter in self.parameters}
        if not parameters.keys() >= args.keys():
            raise ToolError("I cannot use that. Please tell me again what you would like.")
        texts = {name: _text(value, parameters[name].limit) for name, value in args.items()}
        if sum(map(len, texts.values())) > ARGUMENTS_LIMIT:
            raise ToolError(TOO_LONG)
        for parameter in self.parameters:
            if parameter.required and not texts.get(parameter.name):
                raise ToolError(parameter.question)
        return {name: text for name, text in texts.items() if text}


def _text(value: object, limit: int) -> str:
    """Return an argument as a database takes it; "" when there is nothing in it."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ToolError(UNHEARD)
    if len(value) > limit:
        raise ToolError(TOO_LONG)
    # Lone surrogates and NUL are no text that a database takes.
    return value.encode("utf-8", "ignore").decode().replace("\0", " ").strip()


# What a tool answers

Status = Literal["ok", "refused", "not_found", "error"]


def answer(
    status: Status, message: str, told: Mapping[str, object], *, retryable: bool = False
) -> dict[str, object]:
    """Return an answer as the model gets it."""
    return {"status": status, "retryable": retryable, "message": message, "data": dict(told)}


def said(status: Status, of: Mapping[str, object], *, retryable: bool = False) -> dict[str, object]:
    """Return the answer of a verb of `shipments` as the model gets it."""
    told = {name: value for name, value in of.items() if name not in ("say", "status")}
    return answer(status, str(of["say"]), told, retryable=retryable)
