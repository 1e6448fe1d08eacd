"""Both bills of a call: never negative, never less for more, each in its own money."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courier import settings
from voice import billing
from voice.billing import Tokens

RATES = billing.rates_of(settings.RATES, date(2026, 11, 24))
FIELDS = ("text_in", "audio_in", "text_out", "audio_out", "thoughts", "cached")

counts = st.integers(min_value=0, max_value=10_000_000)
tokens = st.builds(Tokens, *[counts] * len(FIELDS))
seconds = st.floats(min_value=0, max_value=86_400)
directions = st.sampled_from(["inbound", "outbound"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
rows = st.lists(
    anything
    | st.fixed_dictionaries({"modality": st.sampled_from(["TEXT", "AUDIO", "VIDEO"]), "tokenCount": anything})
)
reports = st.fixed_dictionaries(
    {},
    optional={
        "promptTokenCount": anything,
        "promptTokensDetails": rows | anything,
        "responseTokenCount": anything,
        "candidatesTokenCount": anything,
        "responseTokensDetails": rows | anything,
        "toolUsePromptTokenCount": anything,
        "thoughtsTokenCount": anything,
        "cachedContentTokenCount": anything,
    },
)


def bill(direction="inbound", duration_s=0.0, used=(), rates=RATES) -> billing.Bill:
    return billing.price(direction=direction, seconds=duration_s, tokens=used, rates=rates)


def modality(kind, count):
    return {"modality": kind, "tokenCount": count}


# The carrier


@pytest.mark.parametrize(
    ("duration_s", "kes_minor"), [(0, 0), (0.1, 5), (1, 5), (59.2, 300), (60, 300), (60.01, 305), (600, 3000)]
)
def test_an_outbound_call_costs_three_shillings_a_minute_by_the_second(duration_s, kes_minor):
    assert bill("outbound", duration_s).kes_minor == kes_minor


@given(seconds)
def test_an_inbound_call_costs_no_shilling(duration_s):
    assert bill("inbound", duration_s).kes_minor == 0


def test_a_rate_that_sixty_does_not_divide_is_rounded_up_once_at_the_end():
    assert bill("outbound", 7, rates={**RATES, "outbound_kes_minor_per_min": 100}).kes_minor == 12


# The model


@pytest.mark.parametrize(
    ("used", "usd_micros"),
    [
        (Tokens(audio_in=1_000_000), 3_000_000),
        (Tokens(audio_out=1_000_000), 12_000_000),
        (Tokens(text_in=1_000_000), 750_000),
        (Tokens(text_out=1_000_000), 4_500_000),
        (Tokens(thoughts=1_000_000), 4_500_000),
        (Tokens(cached=1_000_000), 0),
        (Tokens(text_in=1), 1),
    ],
)
def test_each_kind_of_token_has_its_price(used, usd_micros):
    assert bill(used=[used]).usd_micros == usd_micros


def test_the_bill_is_rounded_up_once_and_not_for_every_report():
    assert bill(used=[Tokens(text_in=1)] * 4).usd_micros == 3


def test_every_turn_is_billed_with_its_whole_context():
    context = [Tokens(audio_in=7_500)] * 40

    assert bill(used=context).usd_micros == 900_000


# Together


@given(directions, seconds, st.lists(tokens, max_size=4))
def test_no_bill_is_negative_and_both_are_whole(direction, duration_s, used):
    result = bill(direction, duration_s, used)

    assert result.kes_minor >= 0
    assert result.usd_micros >= 0
    assert (type(result.kes_minor), type(result.usd_micros)) == (int, int)


@given(directions, seconds, seconds, st.lists(tokens, max_size=3), tokens)
def test_more_never_costs_less(direction, duration_s, more_s, used, more):
    less, greater = bill(direction, duration_s, used), bill(direction, duration_s + more_s, [*used, more])

    assert greater.kes_minor >= less.kes_minor
    assert greater.usd_micros >= less.usd_micros


@given(st.lists(tokens, max_size=4), st.sampled_from(FIELDS), counts)
def test_one_kind_of_token_more_never_costs_less(used, kind, more):
    assert bill(used=[*used, Tokens(**{kind: more})]).usd_micros >= bill(used=used).usd_micros


@given(directions, seconds, st.lists(tokens, max_size=4))
def test_neither_bill_depends_on_what_the_other_is_for(direction, duration_s, used):
    both = bill(direction, duration_s, used)

    assert both.kes_minor == bill(direction, duration_s).kes_minor
    assert both.usd_micros == bill(direction, 0, used).usd_micros


def test_a_negative_time_costs_nothing():
    assert bill("outbound", -5).kes_minor == 0


@pytest.mark.parametrize(
    ("duration_s", "kes_minor"), [(0, 0), (0.1, 300), (60, 300), (60.01, 600), (125, 900)]
)
def test_a_carrier_that_bills_started_minutes_bills_each_that_was_begun(duration_s, kes_minor):
    by_the_minute = {**RATES, "billed_by_s": 60}

    assert bill("outbound", duration_s, rates=by_the_minute).kes_minor == kes_minor


@pytest.mark.parametrize(("direction", "kes_minor"), [("inbound", 40), ("outbound", 340)])
def test_a_surcharge_for_the_stream_is_billed_in_both_directions(direction, kes_minor):
    dearer = {**RATES, "stream_kes_minor_per_min": 40}

    assert bill(direction, 60, rates=dearer).kes_minor == kes_minor


# The rates of the day


def test_a_call_is_priced_by_the_rates_of_its_day():
    first, second = {"from": date(2026, 7, 1)}, {"from": date(2027, 1, 1)}
    table = (second, first)

    days = [date(2026, 6, 30), date(2026, 7, 1), date(2026, 12, 31), date(2027, 1, 1), date(2030, 1, 1)]

    assert [billing.rates_of(table, day) for day in days] == [first, first, first, second, second]


def test_a_bill_says_which_rates_it_is_by():
    assert bill().rates_date == RATES["from"]


def test_every_row_of_the_settings_prices_a_call():
    for rates in settings.RATES:
        used = [Tokens(*[1_000_000] * len(FIELDS))]
        priced = [bill(direction, 60, used, rates) for direction in ("inbound", "outbound")]

        assert all(one.usd_micros > 0 for one in priced)


# A usage report


def test_tokens_are_read_by_modality():
    report = {
        "promptTokenCount": 130,
        "promptTokensDetails": [modality("TEXT", 30), modality("AUDIO", 100)],
        "responseTokenCount": 60,
        "responseTokensDetails": [modality("AUDIO", 50), modality("TEXT", 10)],
        "thoughtsTokenCount": 7,
        "toolUsePromptTokenCount": 5,
        "cachedContentTokenCount": 3,
        "totalTokenCount": 202,
    }

    assert billing.tokens_of(report) == Tokens(
        text_in=35, audio_in=100, text_out=10, audio_out=50, thoughts=7, cached=3
    )


def test_vertex_spells_what_was_answered_in_its_own_way():
    report = {"candidatesTokenCount": 60, "candidatesTokensDetails": [modality("TEXT", 60)]}

    assert billing.tokens_of(report) == Tokens(text_out=60)


def test_what_no_detail_explains_counts_as_audio():
    report = {"promptTokenCount": 130, "promptTokensDetails": [modality("TEXT", 30)], "responseTokenCount": 9}

    assert billing.tokens_of(report) == Tokens(text_in=30, audio_in=100, audio_out=9)


def test_details_that_exceed_the_total_are_believed():
    report = {"promptTokenCount": 10, "promptTokensDetails": [modality("TEXT", 30), modality("AUDIO", 5)]}

    assert billing.tokens_of(report) == Tokens(text_in=30, audio_in=5)


@given(reports)
def test_a_report_of_any_shape_has_tokens_that_can_be_priced(report):
    used = billing.tokens_of(report)

    assert all(getattr(used, name) >= 0 for name in FIELDS)
    assert bill(used=[used]).usd_micros >= 0
