"""What a worker does, and that the platform is left alone without a key."""

from voice import jobs

ALWAYS = {"lost calls", "unanswered calls", "lost dials", "purge"}


def names() -> set[str]:
    """Return the names of the jobs."""
    return {job.name for job in jobs.jobs()}


def test_without_a_key_the_platform_is_not_asked_for_anything(settings):
    settings.SAUTIKIT_API_KEY = ""

    assert names() == ALWAYS


def test_without_a_number_of_ours_nobody_is_called(settings):
    settings.SAUTIKIT_API_KEY, settings.SAUTIKIT_NUMBER = "key", ""

    assert names() == ALWAYS | {"untold ends", "untold dials"}


def test_with_both_the_worker_dials(settings):
    settings.SAUTIKIT_API_KEY, settings.SAUTIKIT_NUMBER = "key", "+254700000900"

    assert names() == ALWAYS | {"untold ends", "untold dials", "dial"}


def test_each_job_has_a_name_of_its_own_that_a_lease_can_bear():
    listed = [job.name for job in jobs.jobs()]

    assert len(listed) == len(set(listed))
    assert max(map(len, listed)) <= 32


def test_by_the_defaults_a_lost_call_is_closed_within_a_minute_of_its_last_sign_of_life(settings):
    [lost] = [job for job in jobs.jobs() if job.name == "lost calls"]

    # A worker that died with the job in its hands gives it back to nobody before its limit.
    assert settings.RECONCILE_S + lost.every_s + lost.limit_s < 60
