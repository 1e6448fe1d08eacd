"""A call is trusted as far as somebody vouches for its number, and not by what is said in it."""

import asyncio
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from tests.shipments.builders import AMINA, BRIAN, NOW, a_depot, a_parcel, a_slot
from voice import calls, opening, tools, trust
from voice.clients.sautikit import SautikitClient
from voice.errors import RemoteError
from voice.levels import Level, Proof, ProofWanted, Standing, first_proof, level_of
from voice.models import Call
from voice.proof import NumberProof
from voice.wire import sautikit, signing

OURS = "+254700000900"
RINGING = {
    "sessionId": "HD_1",
    "callerNumber": AMINA,
    "destinationNumber": OURS,
    "callSessionState": "Ringing",
    "direction": "Inbound",
    "isActive": "1",
}
RECORD = {"call_id": "c-1", "session_id": "HD_1", "direction": "Inbound", "from": AMINA, "to": OURS}
L0, L1, L1_PLUS, L2, DRIVER = Level


@pytest.mark.parametrize(
    ("standing", "level"),
    [
        (Standing(), L0),
        (Standing(number=AMINA), L0),
        (Standing(number="", proof=Proof.SIGNATURE), L0),
        (Standing(number=AMINA, code=True), L0),
        (Standing(number=AMINA, outbound=True, agreed=True), L0),
        (Standing(number=AMINA, proof=Proof.LOOKUP), L1),
        (Standing(number=AMINA, proof=Proof.SIGNATURE), L1),
        (Standing(number=AMINA, proof=Proof.WORD), L1),
        (Standing(named_facts=True), L1),
        (Standing(named_facts=True, outbound=True, agreed=True), L1),
        (Standing(number=AMINA, proof=Proof.LOOKUP, agreed=True), L1),
        (Standing(number=AMINA, proof=Proof.LOOKUP, outbound=True, agreed=True), L1_PLUS),
        (Standing(number=AMINA, proof=Proof.LOOKUP, code=True), L2),
        (Standing(named_facts=True, code=True), L2),
        (Standing(number=AMINA, shift=True), L0),
        (Standing(named_facts=True, shift=True), L1),
        (Standing(number=AMINA, proof=Proof.LOOKUP, shift=True), DRIVER),
        (Standing(number=AMINA, proof=Proof.STAFF, code=True, shift=True), DRIVER),
    ],
)
def test_a_level_follows_from_the_facts(standing, level):
    assert level_of(standing) is level


def test_levels_read_as_people_write_them():
    assert [level.label for level in Level] == ["L0", "L1", "L1+", "L2", "DRIVER"]


@pytest.mark.parametrize(
    ("wanted", "signed", "proof"),
    [
        ("signature", True, Proof.SIGNATURE),
        ("lookup", True, Proof.SIGNATURE),
        ("none", True, Proof.SIGNATURE),
        ("signature", False, Proof.NOBODY),
        ("lookup", False, Proof.NOBODY),
        ("none", False, Proof.WORD),
    ],
)
def test_a_webhook_proves_a_number_by_its_signature(wanted, signed, proof):
    assert first_proof(ProofWanted(wanted), signed=signed) is proof


# In the house


@pytest.fixture
def wanting(settings):
    settings.SAUTIKIT_NUMBER = OURS
    settings.SAUTIKIT_SIGNING_SECRETS = ["signing-secret"]
    settings.CALLER_PROOF = "lookup"
    return settings


def a_webhook(**fields) -> sautikit.Webhook:
    return sautikit.parse_webhook(RINGING | fields)


def an_opening(*, signed=False, **fields) -> calls.Opening:
    found = calls.open_call(a_webhook(**fields), own_number=OURS, region="KE", now=NOW, signed=signed)
    assert found is not None
    return found


def a_record(**fields) -> sautikit.CallRecord:
    found = sautikit.parse_record({"calls": [RECORD | fields]}, "HD_1")
    assert found is not None
    return found


def post(client: Client, signature_secret: str = "") -> Call:
    body = urlencode(RINGING)
    headers = {}
    if signature_secret:
        headers["X-Sautikit-Signature"] = signing.signature(body.encode(), signature_secret, int(time.time()))
    client.post(
        "/voice/routing-secret-0123456789abcdefghijk",
        body,
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )
    return Call.objects.get()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("secret", "proof", "level"),
    [("", "", L0), ("guessed", "", L0), ("signing-secret", "signature", L1)],
)
def test_a12_a_forged_webhook_with_the_right_routing_secret_stays_at_l0(
    client, wanting, secret, proof, level
):
    wanting.SAUTIKIT_ROUTING_SECRETS = ["routing-secret-0123456789abcdefghijk"]
    a_parcel()

    call = post(client, secret)

    assert (call.proof, call.level) == (proof, level)
    assert trust.caller_of(call.pk).number == (AMINA if proof else "")
    assert bool(call.context) is bool(call.shipment_id) is bool(proof)


@pytest.mark.django_db
def test_the_model_is_told_of_no_parcel_before_the_number_counts(wanting):
    parcel = a_parcel(tracking_id="KM-4279")
    unproved = opening.brief(an_opening().facts).setup.instruction
    proved = opening.brief(an_opening(signed=True, sessionId="HD_2").facts).setup.instruction

    assert "4 2 7 9" in proved
    assert not any(
        word in unproved for word in ("4 2 7 9", "4279", parcel.recipient_name, parcel.shipper, AMINA)
    )
    assert "Call track_shipment without a tracking number" in unproved


@pytest.mark.django_db
def test_a_second_delivery_that_is_signed_proves_the_number_and_another_number_does_not(wanting):
    first = an_opening()

    assert an_opening(signed=True, callerNumber=BRIAN).facts.proved is False
    assert an_opening(signed=True).facts.proved is True
    assert Call.objects.get(pk=first.facts.call_id).customer_number == AMINA


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({}, L1),
        ({"from": OURS, "to": AMINA}, L1),  # the two are known to be swapped
        ({"from": BRIAN}, L0),
        ({"from": ""}, L0),
        ({"from": "anonymous"}, L0),
        ({"status": "completed"}, L0),
        ({"status": "answered"}, L1),
    ],
)
def test_the_carriers_record_proves_the_number_that_it_names(wanting, fields, level):
    call_id = an_opening().facts.call_id

    proved = trust.note_record(call_id, a_record(**fields), now=NOW)

    assert Call.objects.get().level == level
    assert proved is (level is L1)


@pytest.mark.django_db
@pytest.mark.parametrize(("direction", "level"), [("Outbound", L1_PLUS), ("Inbound", L1)])
def test_who_says_to_be_the_recipient_on_a_number_that_we_rang_reaches_l1_plus(wanting, direction, level):
    depot = a_depot()
    a_slot(depot, timezone.localdate() + timedelta(days=3))
    a_parcel(depot=depot)
    sides = {"callerNumber": OURS, "destinationNumber": AMINA} if direction == "Outbound" else {}
    call_id = an_opening(signed=True, direction=direction, **sides).facts.call_id

    def run(name: str, **args: str) -> dict[str, Any]:
        return tools.run(name, args, trust.caller_of(call_id), tools.business_key(name, args))

    day = (timezone.localdate() + timedelta(days=3)).isoformat()
    early = run("prepare_reschedule", day=day)
    before = Call.objects.get().level
    confirmed = run("confirm_recipient")
    late = run("prepare_reschedule", day=day)

    outbound = direction == "Outbound"
    assert (early["status"], early["data"].get("code")) == (
        ("refused", "needs_recipient") if outbound else ("ok", None)
    )
    assert confirmed["status"] == ("ok" if outbound else "refused")
    assert late["status"] == "ok"
    assert (before, Call.objects.get().level) == (L1, level)


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(tools.TOOLS))
def test_o13_before_the_recipient_is_known_no_tool_tells_of_a_parcel(wanting, name):
    parcel = a_parcel()
    placed = {"direction": "Outbound", "callerNumber": OURS, "destinationNumber": AMINA}
    facts = an_opening(signed=True, **placed).facts
    tool = tools.TOOLS[name]
    args = {one.name: parcel.tracking_id if one.name == "tracking_id" else "1" for one in tool.parameters}

    told = tools.run(name, args, trust.caller_of(facts.call_id), "key")

    assert facts.parcels == ()
    assert tool.for_anybody or told["data"] == {"code": "needs_recipient"}
    assert not any(word in str(told) for word in (parcel.tracking_id, parcel.shipper, parcel.recipient_name))


@pytest.mark.django_db
@pytest.mark.parametrize(("who", "known"), [("person", True), ("child", False), ("screening", False)])
def test_o13_a_recipient_who_hands_the_telephone_on_is_no_longer_on_the_line(wanting, who, known):
    a_parcel()
    placed = {"direction": "Outbound", "callerNumber": OURS, "destinationNumber": AMINA}
    call_id = an_opening(signed=True, **placed).facts.call_id

    def run(name: str, **args: str) -> dict[str, Any]:
        return tools.run(name, args, trust.caller_of(call_id), tools.business_key(name, args))

    run("confirm_recipient")
    before = run("track_shipment")
    run("report_answered_by", who=who)
    after = run("track_shipment")

    assert before["status"] == "ok"
    assert (after["status"] == "ok") is known
    assert (Call.objects.get().level == L1_PLUS) is known


@pytest.mark.django_db
def test_a_call_whose_number_nobody_vouches_for_is_confirmed_by_no_yes(wanting):
    a_parcel()
    call_id = an_opening(direction="Outbound", callerNumber=OURS, destinationNumber=AMINA).facts.call_id

    told = tools.run("confirm_recipient", {}, trust.caller_of(call_id), "key")

    assert (told["status"], Call.objects.get().level) == ("refused", L0)


@pytest.mark.django_db
def test_without_any_proof_wanted_a_number_is_taken_at_its_word(settings):
    settings.CALLER_PROOF = "none"
    a_parcel()

    facts = an_opening().facts

    assert (facts.proved, len(facts.parcels)) == (True, 1)
    assert an_opening(sessionId="HD_3", callerNumber="anonymous").facts.proved is False


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], "HD_1", {}, {"calls": None}, {"calls": [None, 7]}, {"calls": [{"session_id": "HD_2"}]}),
        {"error": {"code": "calls.not_found"}},
        {"session_id": ["HD_1"]},
    ],
)
def test_an_answer_without_the_session_is_no_record(document):
    assert sautikit.parse_record(document, "HD_1") is None


@pytest.mark.parametrize("wrapped", [lambda r: r, lambda r: {"calls": [r]}, lambda r: {"data": r}])
def test_a_record_is_found_in_every_shape(wrapped):
    record = sautikit.parse_record(wrapped(RECORD | {"status": "no_answer"}), "HD_1")

    assert record is not None
    assert (record.sides.session_id, record.sides.caller, record.is_over) == ("HD_1", AMINA, True)


# The look-up


class Carrier:
    """Answers a look-up with each of its answers in turn."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    async def find(self, session_id: str) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def looked_up(facts: calls.CallFacts, carrier: Carrier) -> None:
    async def look_up() -> None:
        async with NumberProof(facts, carrier.find) as proof:
            await proof.settled()

    asyncio.run(look_up())


@pytest.mark.django_db(transaction=True)
def test_a_number_is_looked_up_while_the_greeting_plays_and_asked_for_again_when_it_fails(wanting):
    facts = an_opening().facts
    carrier = Carrier(RemoteError("down"), {"calls": [RECORD]})

    looked_up(facts, carrier)

    assert trust.caller_of(facts.call_id).number == AMINA
    assert not carrier.answers


@pytest.mark.django_db(transaction=True)
def test_a_tool_does_not_wait_for_a_silent_carrier_for_ever(wanting):
    wanting.CALLER_PROOF_S = 0.05
    facts = an_opening().facts
    carrier = Carrier({"calls": []}, {"calls": []}, {"calls": []}, {"calls": []}, {"calls": []})

    looked_up(facts, carrier)

    assert trust.caller_of(facts.call_id).number == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wanted", ["signature", "none"])
def test_nobody_is_asked_when_the_settings_do_not_say_so(wanting, wanted):
    wanting.CALLER_PROOF = wanted
    carrier = Carrier(RemoteError("not to be asked"))

    looked_up(an_opening().facts, carrier)

    assert len(carrier.answers) == 1


def test_the_client_asks_for_a_session_with_the_key():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), request.headers["Authorization"]))
        return httpx.Response(200, json={"calls": [RECORD]})

    async def ask() -> object:
        async with SautikitClient(
            "https://carrier.example", "a-key", transport=httpx.MockTransport(answer)
        ) as client:
            return await client.find("HD_1 &")

    assert asyncio.run(ask()) == {"calls": [RECORD]}
    assert seen == [("https://carrier.example/v1/calls?session_id=HD_1+%26", "Bearer a-key")]


@pytest.mark.parametrize(("status", "text"), [(404, "{}"), (500, "{}"), (302, ""), (200, "<html>")])
def test_an_answer_that_is_none_is_an_error_of_theirs(status, text):
    async def ask() -> object:
        transport = httpx.MockTransport(lambda request: httpx.Response(status, text=text))
        async with SautikitClient("https://carrier.example", "a-key", transport=transport) as client:
            return await client.find("HD_1")

    with pytest.raises(RemoteError):
        asyncio.run(ask())
