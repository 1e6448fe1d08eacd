"""No more calls are taken than a process can carry."""

from concurrent.futures import ThreadPoolExecutor

from pytest_django import Settings

from voice.admission import Gate, Refusal


def test_a_gate_lets_in_as_many_as_it_may():
    gate = Gate(2)

    assert [gate.enter(), gate.enter(), gate.enter()] == [None, None, Refusal.FULL]
    assert gate.calls == 2


def test_who_leaves_makes_room():
    gate = Gate(1)
    gate.enter()

    gate.leave()

    assert gate.admit() is None
    assert gate.enter() is None


def test_asking_holds_no_place():
    gate = Gate(1)

    assert [gate.admit(), gate.admit()] == [None, None]
    assert gate.calls == 0


def test_a_draining_gate_refuses_and_counts_who_is_in():
    gate = Gate(2)
    gate.enter()

    gate.draining = True

    assert gate.admit() is gate.enter() is Refusal.DRAINING
    assert gate.calls == 1


def test_the_limit_is_a_setting(settings: Settings):
    settings.ADMISSION_CALLS = 0

    assert Gate().enter() is Refusal.FULL


def test_the_last_place_is_given_once():
    gate = Gate(50)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: gate.enter(), range(400)))

    assert answers.count(None) == gate.calls == 50
