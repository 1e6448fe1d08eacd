"""Every limit of a call is a setting, and without one they are the same."""

import pytest
from django.conf import settings

from voice.limits import Limits, Tuning, from_settings, settings_of


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
