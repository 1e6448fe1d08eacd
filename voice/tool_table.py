"""List what the model may do for a caller: how each tool is declared, and the deed that it comes to.

No tool has an argument for who is calling: that comes from the call's row.
"""

from collections.abc import Mapping
from types import MappingProxyType

from shipments.statuses import ChangeKind, Reason
from voice import answerer, deeds, driver_deeds, showings
from voice.levels import Level
from voice.toolkit import Parameter, Tool

_TRACKING_ID = Parameter(
    "tracking_id",
    "The tracking number as the caller said it, letters and digits, or the alias (P1, P2) that a tool gave "
    "the parcel in this call. Leave it out when none was given: then the caller's own parcel is looked up.",
    limit=120,
)
_CHANGE_ID = Parameter(
    "change_id",
    "The change_id that the tool which proposed it returned in this call.",
    limit=32,
    required=True,
    question="I have nothing to confirm. Please tell me again what you would like.",
)
_READ_BACK = "Nothing changes yet: read the returned message to the caller in full and wait for the answer."


def _confirming(name: str, kind: ChangeKind) -> Tool:
    """Return the tool that carries out what was proposed of one kind."""
    return Tool(
        name,
        "Carry out what was proposed, only after the caller has said yes to exactly that.",
        (_CHANGE_ID,),
        deeds.confirming(kind),
        Level.L2,
        step="confirm",
        changes=True,
    )


_STOP = Parameter(
    "stop",
    "The number of the stop on the driver's round, as next_stop told it. Leave it out for the next one.",
    limit=20,
)
_THAT_STOP = Parameter(
    # Never the next one: in the same words a second wish is a repeat, and by then that is another stop.
    "stop",
    "The number of the stop on the driver's round, as next_stop told it.",
    limit=20,
    required=True,
    question=driver_deeds.WHICH_STOP,
)
_FOR_DRIVERS = "Only for a driver on shift, who tells his shift PIN first."

_DAY = "The day as the caller said it, such as 'tomorrow', 'Friday', '27 November', or as YYYY-MM-DD."

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        tool.name: tool
        for tool in (
            Tool(
                "track_shipment",
                "Look up where the caller's parcel is and when it may be expected. "
                "Say the returned message; state nothing that it does not hold.",
                (_TRACKING_ID,),
                deeds.track_shipment,
            ),
            Tool(
                "check_fact",
                "Compare something that the caller says of a parcel with what we know of it, for a caller "
                "whose number is not the parcel's. The surname and another fact are needed; suggest none.",
                (
                    Parameter(
                        "tracking_id",
                        "The tracking number as the caller said it.",
                        limit=120,
                        required=True,
                        question="Please read me the tracking number.",
                    ),
                    Parameter(
                        "kind",
                        "What the caller named: surname, sender or place.",
                        limit=20,
                        required=True,
                        question="Please tell me the surname on the parcel.",
                    ),
                    Parameter(
                        "value",
                        "What the caller said, in their own words.",
                        limit=120,
                        required=True,
                        question="Please tell me the surname on the parcel.",
                    ),
                ),
                showings.check_fact,
            ),
            Tool(
                "submit_pin",
                "Check the delivery code of the caller's parcel, or a driver's shift PIN (then without a "
                "tracking number), when a tool asked for it. Leave it out when it was typed on the keypad. "
                "Never repeat a code.",
                (
                    _TRACKING_ID,
                    Parameter(
                        "pin",
                        "The four to six digits, as the caller said them.",
                        limit=60,
                        required=True,
                        question="Please say the delivery code, or type it and end with the hash key.",
                    ),
                ),
                showings.submit_pin,
                Level.L1,
                private=True,
            ),
            Tool(
                answerer.CONFIRM,
                "In a call that we placed: note that the person who answered said yes, they expect the "
                "delivery. Only after that answer, and never to a recording.",
                (),
                deeds.confirm_recipient,
                changes=True,
                for_anybody=True,
            ),
            Tool(
                answerer.REPORT,
                "In a call that we placed: report at once that a voicemail, a service that screens calls, a "
                "child or somebody with another's number answered, and say the returned message and no more.",
                (
                    Parameter(
                        "who",
                        f"What answered: {', '.join(answerer.KINDS)}.",
                        limit=40,
                        required=True,
                        question="Am I speaking with the person expecting a delivery?",
                    ),
                ),
                deeds.report_answered_by,
                changes=True,
                for_anybody=True,
            ),
            Tool(
                "opt_out",
                "Stop our own calls to the number of this call, when the caller asks not to be called.",
                (),
                deeds.opt_out,
                changes=True,
                for_anybody=True,
            ),
            Tool(
                "set_language",
                "Keep which language the caller wants to be spoken to in from now on.",
                (
                    Parameter(
                        "language",
                        "The tag of the language, such as en, sw or fr.",
                        limit=8,
                        required=True,
                        question="Which language shall we speak to you?",
                    ),
                ),
                deeds.set_language,
                changes=True,
                for_anybody=True,
            ),
            Tool(
                "list_my_shipments",
                "List the caller's own parcels by their aliases, at most three.",
                (),
                deeds.list_my_shipments,
                Level.L1,
            ),
            Tool(
                "offer_slots",
                "Look up which delivery windows are free for the caller's parcel.",
                (_TRACKING_ID, Parameter("day", _DAY + " Leave it out for the earliest.", limit=60)),
                deeds.offer_slots,
                Level.L1,
            ),
            Tool(
                "prepare_reschedule",
                "Propose another delivery window for the caller's parcel. Nothing changes yet: read the "
                "returned message to the caller and wait for the answer.",
                (
                    _TRACKING_ID,
                    Parameter("day", _DAY, limit=60, required=True, question="Which day would you like?"),
                    Parameter(
                        "window",
                        "The time of day as the caller said it, such as 'morning' or '2 pm to 5 pm', "
                        "or as HH:MM-HH:MM. Leave it out when any will do.",
                        limit=60,
                    ),
                ),
                deeds.prepare_reschedule,
                Level.L1,
                step="prepare",
            ),
            Tool(
                "confirm_reschedule",
                "Carry out the proposed delivery window, only after the caller has said yes to it.",
                (
                    Parameter(
                        "change_id",
                        "The change_id that prepare_reschedule returned in this call.",
                        limit=32,
                        required=True,
                        question="I have nothing to confirm. Please tell me the day again.",
                    ),
                ),
                deeds.confirm_reschedule,
                Level.L1,
                step="confirm",
                changes=True,
            ),
            Tool(
                "confirm_address",
                "Compare the delivery place that the caller describes with the address on record. The "
                "answer is match or no match; the address itself is never told, only its area.",
                (
                    _TRACKING_ID,
                    Parameter(
                        "said",
                        "The building, street or landmark in the caller's own words.",
                        limit=200,
                        required=True,
                        question="Where should it be brought? Please tell me the building, the street "
                        "or the nearest landmark.",
                    ),
                ),
                deeds.confirm_address,
                Level.L1,
                changes=True,
            ),
            Tool(
                "prepare_address_change",
                "Propose another place for the caller's parcel; ask for the landmark and the directions. "
                + _READ_BACK,
                (
                    _TRACKING_ID,
                    Parameter(
                        "landmark",
                        "The nearest landmark, in the caller's words.",
                        limit=100,
                        required=True,
                        question="What is the nearest landmark?",
                    ),
                    Parameter(
                        "directions",
                        "How to get from the landmark to the door, in the caller's words.",
                        limit=120,
                        required=True,
                        question="How does the rider get from there to your door?",
                    ),
                    Parameter("building", "The building, if named.", limit=80),
                    Parameter("line1", "The street and number, if named.", limit=80),
                    Parameter("neighbourhood", "The part of the city, if named.", limit=60),
                    Parameter("city", "The city, if it is another one.", limit=60),
                ),
                deeds.prepare_address_change,
                Level.L2,
                step="prepare",
            ),
            _confirming("confirm_address_change", ChangeKind.ADDRESS_CHANGE),
            Tool(
                "hold_for_pickup",
                f"Propose to keep the caller's parcel at the depot to be collected. {_READ_BACK}",
                (_TRACKING_ID,),
                deeds.hold_for_pickup,
                Level.L2,
                step="prepare",
            ),
            _confirming("confirm_hold_for_pickup", ChangeKind.HOLD_FOR_PICKUP),
            Tool(
                "authorise_neighbour",
                f"Propose to hand the caller's parcel to a neighbour. {_READ_BACK}",
                (
                    _TRACKING_ID,
                    Parameter(
                        "neighbour",
                        "The neighbour's name and door, in the caller's words.",
                        limit=100,
                        required=True,
                        question="Which neighbour may take it? Please tell me the name and the door.",
                    ),
                ),
                deeds.authorise_neighbour,
                Level.L2,
                step="prepare",
            ),
            _confirming("confirm_neighbour", ChangeKind.AUTHORISE_NEIGHBOUR),
            Tool(
                "refuse_delivery",
                f"Propose not to deliver a parcel that the caller does not want. {_READ_BACK}",
                (_TRACKING_ID,),
                deeds.refuse_delivery,
                Level.L2,
                step="prepare",
            ),
            _confirming("confirm_refusal", ChangeKind.CANCEL),
            Tool(
                "report_problem",
                "Note what went wrong with the caller's parcel, for a colleague to look into.",
                (
                    _TRACKING_ID,
                    Parameter(
                        "kind",
                        "damaged, missing (something is missing in it) or dispute (it never came).",
                        limit=20,
                        required=True,
                        question="Is it damaged, is something missing, or did it never reach you?",
                    ),
                ),
                deeds.report_problem,
                changes=True,
            ),
            Tool(
                "next_stop",
                f"Tell where the driver goes next. {_FOR_DRIVERS}",
                (),
                driver_deeds.next_stop,
                Level.DRIVER,
            ),
            Tool(
                "stop_directions",
                "Tell the way to the door of a stop: landmark, directions, notes on the gate. You know no "
                f"code of a gate: it is sent to the driver's telephone. {_FOR_DRIVERS}",
                (_STOP,),
                driver_deeds.stop_directions,
                Level.DRIVER,
            ),
            Tool(
                "report_attempt",
                f"Propose to note that a parcel could not be handed over at a stop, and why. {_READ_BACK} "
                + _FOR_DRIVERS,
                (
                    _THAT_STOP,
                    Parameter(
                        "reason",
                        f"One of: {', '.join(Reason)}.",
                        limit=60,
                        required=True,
                        question="Why could it not be handed over?",
                    ),
                ),
                driver_deeds.report_attempt,
                Level.DRIVER,
                step="prepare",
            ),
            Tool(
                "running_late",
                "Propose to move the times of all stops that are left, when the driver says that he is late. "
                f"{_READ_BACK} {_FOR_DRIVERS}",
                (
                    Parameter(
                        "minutes",
                        "By how many minutes, in digits, beyond the times that stand.",
                        limit=20,
                        required=True,
                        question=driver_deeds.HOW_LATE,
                    ),
                ),
                driver_deeds.running_late,
                Level.DRIVER,
                step="prepare",
            ),
            Tool(
                "confirm_report",
                "Write what report_attempt or running_late proposed, only after the driver has said yes to "
                f"exactly that. {_FOR_DRIVERS}",
                (_CHANGE_ID,),
                driver_deeds.confirm_report,
                Level.DRIVER,
                step="confirm",
                changes=True,
            ),
            Tool(
                "call_recipient",
                "Have us ring the recipient of a stop, when the driver cannot find the door or "
                f"nobody opens. Nobody is told the recipient's number. {_FOR_DRIVERS}",
                (_THAT_STOP,),
                driver_deeds.call_recipient,
                Level.DRIVER,
                changes=True,
            ),
            Tool(
                "request_callback",
                "Have a colleague ring the caller back, when the caller asks for a person or you cannot "
                "help. Say the returned message; promise no other time, and never that you connect the call.",
                (Parameter("summary", "What it is about, in one sentence.", limit=400),),
                deeds.request_callback,
                changes=True,
                for_anybody=True,
            ),
        )
    }
)
"""What the model may have done, by name."""
