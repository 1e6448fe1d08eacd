"""What a number asked for holds, is written once, and can be traced."""

from datetime import timedelta

import pytest

from shipments import contacts
from shipments.audit import AuditEntry
from shipments.courtesy import ContactPreference
from shipments.errors import LanguageUnknownError, NumberWithheldError
from tests.rivals import at_once
from tests.shipments.builders import AMINA, BRIAN, CALL, NOW


def out(number=AMINA, now=NOW):
    return contacts.opt_out(number=number, call_public_id=CALL, now=now)


def speak(language, number=AMINA):
    return contacts.set_language(number=number, language=language, call_public_id=CALL, now=NOW)


@pytest.mark.django_db
def test_an_opt_out_is_for_the_number_of_the_call_only():
    out()

    assert contacts.has_opted_out(AMINA)
    assert not contacts.has_opted_out(BRIAN)


@pytest.mark.django_db(transaction=True)
def test_of_eight_opt_outs_at_once_one_is_kept_and_all_are_answered_alike():
    answers = at_once(*[out] * 8)

    assert answers == [answers[0]] * 8
    assert ContactPreference.objects.get().opted_out_at == NOW
    assert AuditEntry.objects.get().verb == "opt_out"


@pytest.mark.django_db
def test_who_says_it_again_wants_no_calls_from_then_on_and_the_audit_has_the_first():
    later = NOW + timedelta(days=20)
    out(now=NOW)
    out(now=later)
    out(now=later - timedelta(seconds=1))  # by a clock that is behind

    assert ContactPreference.objects.get().opted_out_at == later
    assert AuditEntry.objects.get().at == NOW


@pytest.mark.django_db
def test_a_language_is_kept_with_what_it_was_and_a_repeat_writes_nothing():
    speak("en")
    speak("sw-KE")
    speak("sw-KE")

    assert ContactPreference.objects.get().language == "sw-KE"
    entries = AuditEntry.objects.values_list("before", "after")
    assert entries[1] == ({"language": "en"}, {"language": "sw-KE"})
    assert len(entries) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["", "kiswahili please", "EN", "en-ke", "sw\n", "x" * 500])
def test_what_is_no_language_is_asked_for_again(language):
    with pytest.raises(LanguageUnknownError):
        speak(language)

    assert not ContactPreference.objects.exists()


@pytest.mark.django_db
def test_a_withheld_number_has_no_wishes():
    for wish in (lambda: out(""), lambda: speak("en", "")):
        with pytest.raises(NumberWithheldError, match="shows its number"):
            wish()

    assert not ContactPreference.objects.exists()
