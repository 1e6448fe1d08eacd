"""What is shown of a call while it runs holds no code that a caller may have said."""

import pytest

from voice import news
from voice.records import TurnRecord


@pytest.mark.parametrize(
    ("speaker", "text", "shown"),
    [
        ("caller", "my code is four eight one five", "my code is [code]"),
        ("caller", "on the 27th, 14:00-17:00", "on the 27th, 14:00-17:00"),
        ("agent", "The parcel ending 4 2 7 9", "The parcel ending 4 2 7 9"),
    ],
)
def test_what_a_caller_says_is_shown_without_what_may_be_a_code(speaker, text, shown):
    assert news.message(TurnRecord(3, speaker, text, 10, 20))["text"] == shown
