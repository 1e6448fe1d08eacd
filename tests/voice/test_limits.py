"""Every limit of a call is a setting, and without one they are the same."""

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from voice.limits import Bucket, Limits, Tuning, from_settings, settings_of

arrivals = st.lists(st.tuples(st.floats(0, 2), st.integers(1, 30)), max_size=60)


@pytest.mark.parametrize("table", [Limits, Tuning])
def test_what_the_tests_go_by_is_what_a_bare_checkout_runs_with(table):
    assert from_settings(table, settings) == table()


@pytest.mark.parametrize("table", [Limits, Tuning])
def test_no_two_limits_are_one_setting(table):
    named = settings_of(table)

    assert len(named) == len(set(named))


def test_a_setting_reaches_the_call():
    class Hurried:
        """Settings of which some differ."""

        GEMINI_TRIES = 7
        PLAYOUT_LEAD_MS = 90

        def __getattr__(self, name: str) -> object:
            return getattr(settings, name)

    assert from_settings(Limits, Hurried()).tries == 7
    assert from_settings(Tuning, Hurried()).lead_s == 0.09


@given(arrivals, st.sampled_from([1, 10, 480]), st.sampled_from([1, 10, 40]))
def test_in_no_span_does_a_bucket_let_through_more_than_its_burst_and_its_rate(pieces, rate, burst):
    bucket, now_s, let_through = Bucket(rate, burst), 0.0, []

    for gap_s, amount in pieces:
        now_s += gap_s
        if bucket.take(amount, now_s):
            let_through.append((now_s, amount))

    for first, (began_s, _) in enumerate(let_through):
        total = 0
        for at_s, amount in let_through[first:]:
            total += amount
            assert total <= burst + (at_s - began_s) * rate + 0.001


@given(arrivals, st.sampled_from([10, 480]))
def test_who_keeps_to_the_rate_is_never_refused(pieces, rate):
    bucket, now_s = Bucket(rate, 30), 0.0

    for gap_s, amount in pieces:
        now_s += gap_s + amount / rate + 0.001
        assert bucket.take(amount, now_s)
