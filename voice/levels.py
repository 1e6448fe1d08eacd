"""Say how much a call is trusted, from its facts alone. Pure: no database, no clock.

    L0   anybody: the number is withheld, or nobody vouches for it
    L1   the number is proved, or two facts of one parcel were named unprompted
    L1+  we dialled the number of record ourselves, and who answered said to be the person asked for
    L2   L1, and the delivery code of the parcel
    DRIVER   the number of a driver on shift is proved, and his shift PIN was right: his own round, no parcels

A level opens tools; of which parcel is another question, asked anew each time.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum


class Level(IntEnum):
    """How much a call is trusted."""

    L0 = 0
    L1 = 1
    L1_PLUS = 2
    L2 = 3
    DRIVER = 4

    @property
    def label(self) -> str:
        """The level as people write it."""
        return self.name.replace("_PLUS", "+")


class Proof(StrEnum):
    """Who vouches for the number of a call."""

    NOBODY = ""
    SIGNATURE = "signature"  # the carrier, by signing the webhook that named it
    LOOKUP = "lookup"  # the carrier, asked for its record of the call
    WORD = "word"  # nobody, and none is asked to: CALLER_PROOF is none
    STAFF = "staff"  # a member of staff, who plays somebody of the demonstration


VOUCHED_FOR_WITHIN = timedelta(minutes=10)
"""Whom the carrier does not know by then is not rung back: it would be no answer to his call any more."""


class ProofWanted(StrEnum):
    """What a number has to be proved by before it counts: the setting CALLER_PROOF."""

    SIGNATURE = "signature"
    LOOKUP = "lookup"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts of a call that its level follows from; no part of them is said by the model.

    `named_facts` tells whether the caller named two facts of one parcel, `agreed` whether a person spoke
    after being asked whether they are the recipient, and `code` whether the parcel's delivery code was right.
    `shift` tells whether it was the PIN of the driver on shift whose number this is.
    """

    number: str = ""
    proof: Proof = Proof.NOBODY
    outbound: bool = False
    named_facts: bool = False
    agreed: bool = False
    code: bool = False
    shift: bool = False


def first_proof(wanted: ProofWanted, *, signed: bool) -> Proof:
    """Return what proves the number that a webhook names, before anybody is asked."""
    if signed:
        return Proof.SIGNATURE
    return Proof.WORD if wanted is ProofWanted.NONE else Proof.NOBODY


def level_of(standing: Standing) -> Level:
    """Return the level of a call; a code alone opens nothing, since a stranger may have found the note."""
    proved = bool(standing.number) and standing.proof is not Proof.NOBODY
    if not (proved or standing.named_facts):
        return Level.L0
    if proved and standing.shift:
        return Level.DRIVER
    if standing.code:
        return Level.L2
    return Level.L1_PLUS if proved and standing.outbound and standing.agreed else Level.L1
