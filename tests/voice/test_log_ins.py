"""Nobody tries out the passwords of staff, and who is refused is told so."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from voice import quotas
from voice.shared import Tally

pytestmark = pytest.mark.django_db
LOG_IN = reverse("admin:login")
RIGHT = "planted-password-of-mary"


@pytest.fixture(autouse=True)
def mary(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return get_user_model().objects.create_user("mary", password=RIGHT, is_staff=True)


def log_in(client, password: str, username: str = "mary"):
    return client.post(LOG_IN, {"username": username, "password": password})


def is_in(answer) -> bool:
    return bool(answer.status_code == 302)


def test_p20_after_five_wrong_passwords_a_name_is_refused_for_an_hour_also_with_the_right_one(
    client, monkeypatch
):
    wrong = [log_in(client, f"wrong-{n}").content.decode() for n in range(5)]
    right = log_in(client, RIGHT)
    later = timezone.now() + timedelta(hours=1, seconds=1)
    monkeypatch.setattr(timezone, "now", lambda: later)

    assert ["Too many wrong passwords" in page for page in wrong] == [False] * 4 + [True]
    assert not is_in(right)
    assert "Too many wrong passwords" in right.content.decode()
    assert is_in(log_in(client, RIGHT))


def test_who_logs_in_has_all_tries_again(client):
    for _ in range(3):
        for n in range(4):
            log_in(client, f"wrong-{n}")
        assert is_in(log_in(client, RIGHT))

    assert not Tally.objects.exists()


def test_another_name_is_not_refused_and_one_that_nobody_has_is_like_any(client):
    get_user_model().objects.create_user("john", password=RIGHT, is_staff=True)
    for n in range(6):
        log_in(client, f"wrong-{n}")
    unknown = [log_in(client, "wrong", "nobody").content.decode() for n in range(6)]

    assert ["Too many wrong passwords" in page for page in unknown] == [False] * 4 + [True] * 2
    assert is_in(log_in(client, RIGHT, "john"))


def test_no_name_stands_in_a_count(client):
    log_in(client, "wrong")

    assert "mary" not in Tally.objects.get().key


def test_whoever_runs_the_server_lets_somebody_in_again(client, capsys):
    with pytest.raises(CommandError, match="are not refused"):
        call_command("unlock", "mary")
    for n in range(5):
        log_in(client, f"wrong-{n}")

    call_command("unlock", "mary")

    assert "mary may log in again" in capsys.readouterr().out
    assert is_in(log_in(client, RIGHT))


def test_the_old_password_is_counted_when_somebody_changes_his_own(client, mary):
    client.force_login(mary)
    page = reverse("admin:password_change")
    new = {"new_password1": "planted-new-one-19", "new_password2": "planted-new-one-19"}

    wrong = [client.post(page, {"old_password": f"wrong-{n}"} | new).status_code for n in range(6)]
    right = client.post(page, {"old_password": RIGHT} | new).status_code
    call_command("unlock", "mary")
    changed = client.post(page, {"old_password": RIGHT} | new).status_code

    assert client.get(page).status_code == 200
    assert (wrong, right, changed) == ([200] * 5 + [403], 403, 302)
    assert not Tally.objects.exists()


def test_who_knows_the_old_password_may_try_as_many_new_ones_as_he_needs(client, mary):
    client.force_login(mary)
    short = {"old_password": RIGHT, "new_password1": "1", "new_password2": "1"}

    answers = [client.post(reverse("admin:password_change"), short).status_code for _ in range(7)]

    assert answers == [200] * 7
    assert not Tally.objects.exists()


def test_on_no_other_way_a_password_is_looked_at_uncounted(rf):
    for n in range(5):
        assert authenticate(rf.post("/"), username="mary", password=f"wrong-{n}") is None

    assert authenticate(rf.post("/"), username="mary", password=RIGHT) is None
    assert async_to_sync(aauthenticate)(rf.post("/"), username="mary", password=RIGHT) is None
    assert authenticate(rf.post("/"), username="mary") is None


@pytest.mark.django_db(transaction=True)
def test_of_many_tries_at_once_five_are_looked_at(monkeypatch):
    looked_at = []
    look = ModelBackend.authenticate

    def counted(*args, **kwargs):
        looked_at.append(1)
        return look(*args, **kwargs)

    monkeypatch.setattr(ModelBackend, "authenticate", counted)

    def attempt(n: int) -> object:
        try:
            return authenticate(None, username="mary", password=f"wrong-{n}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(attempt, range(24))) == {None}

    assert len(looked_at) == 5
    assert quotas.log_ins_are_spent("mary", timezone.now())
