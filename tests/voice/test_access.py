"""Only who knows a secret gets in, and no log says which."""

import time

import pytest
from pytest_django import Settings

from voice import access
from voice.wire import signing


def test_two_secrets_are_valid_at_once():
    known = ["now", "next"]

    assert access.secret_is_known("now", known)
    assert access.secret_is_known("next", known)


@pytest.mark.parametrize("given", ["", "no", "nowx", "NOW", "\ud800", "\x00"])
def test_another_secret_is_not_known(given: str):
    assert not access.secret_is_known(given, ["now", "next"])


def test_no_secret_set_lets_nobody_in():
    assert not access.secret_is_known("", [])
    assert not access.secret_is_known("", [""])


def test_a_token_has_256_bits_and_fits_a_path():
    tokens = {access.new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(len(token) == 43 and token.replace("-", "").replace("_", "").isalnum() for token in tokens)


def test_a_digest_is_sha256():
    assert access.digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert access.digest("\ud800")  # a path may hold anything


@pytest.mark.parametrize(
    ("mode", "signed", "accepted", "logged"),
    [
        ("off", False, True, 0),
        ("off", True, True, 0),
        ("log", False, True, 1),
        ("log", True, True, 0),
        ("require", False, False, 1),
        ("require", True, True, 0),
    ],
)
def test_each_mode_treats_signatures_its_way(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    mode: str,
    signed: bool,
    accepted: bool,
    logged: int,
):
    settings.SAUTIKIT_SIGNATURE_MODE = mode
    settings.SAUTIKIT_SIGNING_SECRETS = ["now", "next"]
    header = signing.signature(b"a=1", "next", int(time.time())) if signed else "t=1,v1=0"

    assert access.signature_is_accepted(header, b"a=1") is accepted
    assert len(caplog.records) == logged
