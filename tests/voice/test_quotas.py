"""Nobody asks or tries more often than allowed, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from threading import Event

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from shipments.audit import AuditEntry
from shipments.messages import OutgoingMessage
from shipments.models import TrackingEvent
from shipments.rules import POLICY
from shipments.tracking import check_character
from tests.rivals import at_once, until_waited_for
from tests.shipments.builders import AMINA, BRIAN, NOW, a_parcel
from voice import quotas, tools
from voice.shared import Tally

SPENT = "I cannot help you further"
_calls = count(1)


def a_stranger(number=BRIAN) -> tools.Caller:
    return tools.Caller(f"call-{next(_calls)}", number)


def run(caller, name="track_shipment", **args):
    return tools.run(name, args, caller, tools.business_key(name, args))


def an_id(number: int) -> str:
    body = f"{number:08}"
    return body + check_character(body)


def in_threads(work, times: int, threads: int = 8) -> list:
    def one(number: int):
        try:
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(times)))


# Counting


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [0, 1, 5, 20, 40, 1_000])
def test_eight_threads_get_no_more_than_there_is(limit):
    quota = quotas.Quota("a-thing", limit)

    taken = in_threads(lambda _: quotas.take(quota, NOW), 40)

    assert sum(taken) == min(limit, 40)


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer and no row locks")
def test_places_are_given_back_while_they_are_taken():
    first, last = quotas.Quota("a-thing", 5), quotas.Quota("b-thing", 5)
    assert [quotas.take(one, NOW) for one in (last, first)] == [True, True]  # so they lie in the table
    took_one, gave_back = Event(), Event()

    def take() -> bool:
        with transaction.atomic():
            quotas.take(first, NOW)
            took_one.set()
            until_waited_for(gave_back)
            return quotas.take(last, NOW)

    def give_back() -> None:
        took_one.wait(10)
        try:
            quotas.give_back(first, last)
        finally:
            gave_back.set()

    assert at_once(take, give_back) == [True, None]
    assert list(Tally.objects.order_by("key").values_list("used", flat=True)) == [1, 1]


@pytest.mark.django_db
def test_a_count_begins_anew_when_its_time_is_over():
    quota = quotas.Quota("a-thing", 2, 60)

    taken = [quotas.take(quota, NOW + timedelta(seconds=s)) for s in (0, 1, 59, 60, 61, 62)]

    assert taken == [True, True, False, True, True, False]


@pytest.mark.django_db
@settings_of_hypothesis(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["take", "take", "give_back"])), max_size=25),
    st.integers(0, 4),
)
def test_whatever_comes_when_no_more_are_out_at_once_than_there_are(steps, limit):
    quota, at_s, until_s, out = quotas.Quota(f"thing-{next(_calls)}", limit, 60), 0, 0, 0

    for gap_s, step in steps:
        at_s += gap_s
        if step == "give_back":
            quotas.give_back(quota)
            out = max(0, out - 1)
            continue
        if at_s >= until_s:
            out, until_s = 0, at_s + 60
        expected = out < limit
        assert quotas.take(quota, NOW + timedelta(seconds=at_s)) is expected
        out += expected


@pytest.mark.django_db
def test_of_several_counts_all_or_none_are_taken():
    wide, narrow = quotas.Quota("a-wide", 5), quotas.Quota("b-narrow", 1)
    quotas.take_all([narrow, wide], NOW)

    with pytest.raises(quotas.LimitReachedError):
        quotas.take_all([narrow, wide], NOW)

    assert Tally.objects.get(key="a-wide").used == 1


@pytest.mark.django_db
def test_no_number_stands_in_a_count():
    run(a_stranger(), tracking_id=an_id(1))
    quotas.take_try(a_stranger(), "KM4279", NOW)

    kept = " ".join(Tally.objects.values_list("key", flat=True))

    assert Tally.objects.count() > 5
    assert not any(word in kept for word in (BRIAN, BRIAN[1:], "KM4279", an_id(1)))


# Tools


@pytest.mark.django_db
def test_a4_a_call_has_so_many_tool_calls_in_all_and_in_a_minute(settings):
    settings.TOOL_CALLS_A_MINUTE = 3
    caller = a_stranger()

    answers = [run(caller, "offer_slots", day=f"in {n} days") for n in range(30)]

    assert [SPENT in answer["message"] for answer in answers] == [False] * 3 + [True] * 27
    assert answers[3]["data"] == {"code": "too_often"}
    assert answers[3]["retryable"] is False


@pytest.mark.django_db(transaction=True)
def test_a4_thirty_calls_at_once_pass_twenty(settings):
    settings.TOOL_CALLS_A_MINUTE = 1_000
    caller = a_stranger()

    answers = in_threads(lambda n: run(caller, "offer_slots", day=f"in {n} days"), 30)

    assert sum(SPENT not in answer["message"] for answer in answers) == 20


@pytest.mark.django_db
def test_a4_the_same_wish_is_heard_three_times():
    caller = a_stranger()

    answers = [run(caller, "offer_slots", day="friday") for _ in range(5)]

    assert [SPENT in answer["message"] for answer in answers] == [False] * 3 + [True] * 2


# Ids


@pytest.fixture
def unhurried(settings):
    settings.TOOL_CALLS_A_MINUTE = settings.TOOL_CALLS_A_CALL = 10_000


@pytest.mark.django_db
def test_a10_five_ids_a_call_and_twenty_a_number_and_day(unhurried):
    a_parcel(tracking_id=an_id(0))

    told = []
    for call in range(6):
        caller = a_stranger()
        told.append([SPENT not in run(caller, tracking_id=an_id(10 * call + n))["message"] for n in range(8)])

    assert [sum(one) for one in told] == [5, 5, 5, 5, 0, 0]
    assert SPENT in run(a_stranger(), tracking_id=an_id(0))["message"]
    assert SPENT not in run(a_stranger("+254700000077"), tracking_id=an_id(0))["message"]


@pytest.mark.django_db
def test_a10_an_id_that_was_one_too_many_is_so_when_it_is_named_again(unhurried, settings):
    caller = a_stranger()
    ids = [an_id(n) for n in range(settings.IDS_A_CALL + 1)]

    answers = [run(caller, tracking_id=one) for one in (*ids, ids[-1], ids[0])]

    assert [SPENT in answer["message"] for answer in answers] == [False] * 5 + [True, True, False]


@pytest.mark.django_db
def test_a12_who_forges_a_number_uses_up_nothing_of_its_owners(unhurried):
    parcel = a_parcel(tracking_id="KM-4279")
    parcel.set_pin("0417")
    parcel.save()

    for _ in range(6):
        forged = tools.Caller(f"call-{next(_calls)}", "", claimed=AMINA)
        for n in range(6):
            last = run(forged, tracking_id=f"ZZ{next(_calls)}{n}")
        for n in range(3):
            named(forged, f"QQ{next(_calls)}{n}", "Sample", "Example Books")
    owner = a_stranger(AMINA)

    assert SPENT in last["message"]
    assert run(owner, tracking_id="KM4279")["status"] == "ok"
    assert run(owner, "submit_pin", pin="0417")["status"] == "ok"


@pytest.mark.django_db
def test_p15_ones_own_is_found_when_all_ids_were_used_up(unhurried):
    a_parcel(tracking_id="KM-4279")
    caller = a_stranger(AMINA)
    for n in range(7):
        last = run(caller, tracking_id=an_id(n))

    assert SPENT in last["message"]
    assert run(caller, tracking_id="KM4279")["status"] == "ok"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["track_shipment", "offer_slots", "prepare_reschedule", "confirm_address"])
def test_a1_a_foreign_id_is_answered_and_counted_like_one_that_there_is_not(unhurried, name):
    a_parcel(tracking_id="KM4279")
    needed = {p.name: "x" for p in tools.TOOLS[name].parameters if p.required}

    told, kept = [], []
    for said in ("KM4279", "KM9999"):
        caller = a_stranger()
        told.append(run(caller, name, **needed, tracking_id=said))
        kept.append(sorted(Tally.objects.values_list("used", flat=True)))
        Tally.objects.all().delete()

    assert told[0] == told[1]
    assert kept[0] == kept[1]


@pytest.mark.django_db
def test_p15_one_of_ones_own_costs_nothing(unhurried):
    parcels = [a_parcel() for _ in range(7)]
    caller = a_stranger(AMINA)

    answers = [run(caller, tracking_id=parcel.tracking_id) for parcel in parcels]

    assert {answer["status"] for answer in answers} == {"ok"}


@pytest.mark.django_db
def test_the_same_id_again_is_not_another_one(unhurried, settings):
    settings.TOOL_CALLS_ALIKE = 100
    caller = a_stranger()

    answers = [run(caller, tracking_id=an_id(1)) for _ in range(9)]

    assert not any(SPENT in answer["message"] for answer in answers)


@pytest.mark.django_db
def test_three_misses_in_a_row_are_told_to_the_log(unhurried, caplog):
    caller = a_stranger()

    for n in range(3):
        run(caller, tracking_id=an_id(n))

    assert [r.getMessage() for r in caplog.records].count("ids are tried out in a call") == 1


@pytest.mark.django_db
@pytest.mark.logs_errors
def test_a10_many_misses_from_many_numbers_are_an_alarm(unhurried, settings, caplog):
    settings.IDS_MISSED_AN_HOUR = 10

    for n in range(15):
        run(a_stranger(f"+2547000001{n:02}"), tracking_id=an_id(n))

    assert [r.getMessage() for r in caplog.records].count("ids are tried out in many calls") == 1


# Facts and codes


@pytest.mark.django_db(transaction=True)
def test_a11_wrong_tries_end_by_call_by_parcel_and_by_number():
    now = timezone.now()

    def tried(caller, parcel) -> bool:
        try:
            quotas.take_try(caller, parcel, now)
        except quotas.LimitReachedError:
            return False
        return True

    one = a_stranger()
    of_a_call = in_threads(lambda n: tried(one, f"parcel-{n}"), 12)
    of_a_parcel = in_threads(lambda n: tried(a_stranger(f"+2547000001{n:02}"), "the-parcel"), 12)
    of_a_number = in_threads(lambda n: tried(a_stranger(AMINA), f"other-{n}"), 24)

    assert (sum(of_a_call), sum(of_a_parcel), sum(of_a_number)) == (3, 5, 10)


@pytest.mark.django_db
def test_a11_a_code_that_was_tried_too_often_is_told_of_once(unhurried, settings):
    settings.TRIES_A_PARCEL = settings.TRIES_A_NUMBER = settings.TRIES_A_CALL = 100
    parcel = a_parcel()
    parcel.set_pin("0417")
    parcel.save()

    for n in range(POLICY.pin_failures + 3):
        run(a_stranger(AMINA), "submit_pin", pin=f"{1000 + n}")

    problem = TrackingEvent.objects.open_problems().get()
    message = OutgoingMessage.objects.get()
    assert "a new one is needed" in problem.description
    assert (message.number, message.kind) == (AMINA, "code")
    assert "tried too often" in message.text
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db
def test_wrong_places_are_tries_and_the_right_one_is_not(unhurried):
    a_parcel()
    caller = a_stranger(AMINA)

    right = [run(caller, "confirm_address", said=f"Jacaranda Court {n}") for n in range(5)]
    wrong = [run(caller, "confirm_address", said=f"the airport {n}") for n in range(4)]

    assert [answer["status"] for answer in right] == ["ok"] * 5
    assert [SPENT in answer["message"] for answer in wrong] == [False] * 3 + [True]


def named(caller, said_id, surname, sender):
    """Name two facts of a parcel and return what came of it."""
    run(caller, "check_fact", tracking_id=said_id, kind="surname", value=surname)
    told = run(caller, "check_fact", tracking_id=said_id, kind="sender", value=sender)
    return told["data"].get("code", told["status"])


@pytest.mark.django_db
@pytest.mark.parametrize("tracking_id", ["KM-4279", "KM-9999"])
def test_a11_what_else_is_said_with_an_id_makes_no_other_parcel_of_it(tracking_id):
    a_parcel(tracking_id=tracking_id)

    told = [
        named(a_stranger(""), f"{word}zzz KM4279", f"Name{word}", "Example Books")
        for word in ("apple", "banana", "cherry", "grape", "lemon", "mango")
    ]

    assert told == ["not_right"] * 5 + ["limit"]


@pytest.mark.django_db
def test_a11_facts_codes_and_places_are_tries_of_one_parcel(unhurried):
    parcel = a_parcel(tracking_id="KM-4279")
    parcel.set_pin("0417")
    parcel.save()

    for n in range(2):
        named(a_stranger(), "KM 4279", f"Name{n}", "Example Books")
    for n in range(2):
        run(a_stranger(AMINA), "submit_pin", pin=f"000{n}")
    run(a_stranger(AMINA), "confirm_address", said="the airport")

    assert SPENT in run(a_stranger(AMINA), "confirm_address", said="Jacaranda Court")["message"]
