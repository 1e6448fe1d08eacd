"""Whether the telephone platform signed a body is told by one of two secrets, and for a while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.wire import signing


def valid(header: str, body: bytes = b"a=1", secrets: tuple[str, ...] = ("one", "two"), now_s: float = 1_000):
    return signing.signature_is_valid(header, body, secrets, now_s=now_s, tolerance_s=300)


def test_either_of_two_secrets_may_sign():
    assert valid(signing.signature(b"a=1", "one", 1_000))
    assert valid(signing.signature(b"a=1", "two", 1_000))


def test_a_signature_is_the_documented_one():
    # echo -n 'a=1.1000' | openssl dgst -sha256 -hmac one
    assert signing.signature(b"a=1", "one", 1000) == "t=1000,v1=" + MAC


MAC = "4f1d6a750c3e9ad89586067c4011a0efec1acfc0ab5110c82f4edf47ef55cbf7"


@pytest.mark.parametrize("now_s", [700, 1_300])
def test_a_signature_holds_to_the_end_of_the_tolerance(now_s: int):
    assert valid(signing.signature(b"a=1", "one", 1_000), now_s=now_s)


@pytest.mark.parametrize("now_s", [699, 1_301])
def test_a_stale_or_future_signature_is_refused(now_s: int):
    assert not valid(signing.signature(b"a=1", "one", 1_000), now_s=now_s)


def test_a_signature_of_another_body_secret_or_none_is_refused():
    header = signing.signature(b"a=1", "one", 1_000)

    assert not valid(header, b'{"a": 1}')
    assert not valid(signing.signature(b"a=1", "three", 1_000))
    assert not valid(signing.signature(b"a=1", "", 1_000), secrets=("",))
    assert not valid(header, secrets=())
    assert not valid(header.replace("t=1000", "t=1001"))
    assert not valid(f"t=1000,{header}")


@given(st.text())
def test_no_header_breaks_the_check(header: str):
    assert not valid(header)
    assert not valid("t=1000,v1=" + header)
