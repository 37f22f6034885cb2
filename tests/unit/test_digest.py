"""Digest credentials: what is read, what is refused, and the responses of RFC 7616's examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipwright.modules import digest
from sipwright.modules.digest import Credentials, CredentialsError, parse

# RFC 7616 section 3.9.1.
EXAMPLE = {
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}


@pytest.mark.parametrize(
    ("parameters", "password", "response"),
    [
        ({**EXAMPLE, "algorithm": "MD5"}, "Circle of Life", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            {**EXAMPLE, "algorithm": "SHA-256"},
            "Circle of Life",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ],
)
def test_examples_of_the_rfc(parameters: dict[str, str], password: str, response: str) -> None:
    credentials = Credentials(parameters)
    ha1 = digest.ha1_of(credentials, password)
    assert digest.response(credentials, ha1, "GET", b"") == response
    assert digest.response(credentials, ha1.upper(), "GET", b"") == response


def test_sha_512_256_is_that_of_fips_180_4() -> None:
    assert digest.digest_of("SHA-512-256", b"abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"


def test_the_example_of_rfc_2617_without_qop() -> None:
    """RFC 2069's form: no qop, no nc, no cnonce."""
    credentials = Credentials(
        {
            "username": "Mufasa",
            "realm": "testrealm@host.com",
            "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "uri": "/dir/index.html",
        }
    )
    ha1 = digest.ha1_of(credentials, "Circle Of Life")
    assert ha1 == "939e7578ed9e3c518a452acee763bce9"
    assert digest.response(credentials, ha1, "GET", b"") == "670fd8c2df070c60b045671b8b24ff02"


def test_auth_int_takes_the_body_in() -> None:
    credentials = Credentials({**EXAMPLE, "qop": "auth-int"})
    a1, a2 = "a" * 32, digest.digest_of("MD5", b"GET:/dir/index.html:" + digest.digest_of("MD5", b"body").encode())
    text = f"{a1}:{EXAMPLE['nonce']}:00000001:{EXAMPLE['cnonce']}:auth-int:{a2}"
    assert digest.response(credentials, a1, "GET", b"body") == digest.digest_of("MD5", text.encode())
    assert digest.response(credentials, a1, "GET", b"other") != digest.digest_of("MD5", text.encode())


def test_sess_takes_the_nonces_into_ha1() -> None:
    plain, sess = Credentials(EXAMPLE), Credentials({**EXAMPLE, "algorithm": "MD5-sess"})
    a1 = "a" * 32
    inner = digest.digest_of("MD5", f"{a1}:{EXAMPLE['nonce']}:{EXAMPLE['cnonce']}".encode())
    assert digest.response(sess, a1, "GET", b"") == digest.response(plain, inner, "GET", b"")
    assert (sess.algorithm, sess.hash_name) == ("MD5-SESS", "MD5")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Digest username="a", realm="r"', {"username": "a", "realm": "r"}),
        ('digest   username = "a" ,realm="r",', {"username": "a", "realm": "r"}),
        ("Digest qop=auth, nc=00000001", {"qop": "auth", "nc": "00000001"}),
        ('Digest realm="a \\"quoted\\" \\\\ one"', {"realm": 'a "quoted" \\ one'}),
        ('Digest realm="a, b=c", uri="sip:x;y=z?h=1"', {"realm": "a, b=c", "uri": "sip:x;y=z?h=1"}),
        ('Digest REALM="r", username=""', {"realm": "r", "username": ""}),
        ("Digest ", {}),
        ("Digest", {}),
    ],
)
def test_reading(text: str, expected: dict[str, str]) -> None:
    assert dict(parse(text).parameters) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic YTpi",
        'Digest username="a',
        'Digest username="a" realm="r"',
        'Digest realm="r", realm="s"',
        "Digest =x",
        'Digest realm="r"x, a=b',
        "Digest realm",
        "Digest " + "a" * 9000,
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(CredentialsError):
        parse(text)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True), st.text(max_size=30), max_size=8))
def test_what_is_written_is_read(parameters: dict[str, str]) -> None:
    writable = {name: text for name, text in parameters.items() if not set(text) & set("\r\n\0")}
    text = "Digest " + ", ".join(f"{name}={digest.quoted(value)}" for name, value in writable.items())
    assert dict(parse(text).parameters) == writable


@given(st.text(max_size=200))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        credentials = parse("Digest " + text)
    except CredentialsError:
        return
    for name, value in credentials.parameters.items():
        assert name == name.lower()
        assert isinstance(value, str)


@given(st.text(alphabet='\\",= ab', max_size=60))
def test_quotes_and_escapes_in_any_order(text: str) -> None:
    test_anything_is_read_or_refused.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@pytest.mark.parametrize("missing", ["username", "realm", "nonce", "uri", "response", "nc", "cnonce"])
def test_incomplete_credentials(missing: str) -> None:
    complete = {**EXAMPLE, "response": "0" * 32}
    Credentials(complete).check()
    with pytest.raises(CredentialsError, match=missing):
        Credentials({name: value for name, value in complete.items() if name != missing}).check()
    with pytest.raises(CredentialsError, match="nc"):
        Credentials({**complete, "nc": "xyz"}).check()


def test_names_with_a_domain_and_unknown_algorithms() -> None:
    credentials = parse('Digest username="alice@example.com", algorithm=sha-256')
    assert (credentials.user, credentials.domain, credentials.hash_name) == ("alice", "example.com", "SHA-256")
    # As Kamailio has it: what nobody knows is MD5.
    assert parse("Digest algorithm=foo").algorithm == "MD5"


@pytest.mark.parametrize("text", ["a\r\nb", "a\0"])
def test_line_breaks_cannot_be_quoted(text: str) -> None:
    with pytest.raises(ValueError):
        digest.quoted(text)


def test_responses_are_compared_without_regard_to_case() -> None:
    assert digest.is_same("ab" * 16, "AB" * 16)
    assert not digest.is_same("ab" * 16, "ab" * 15)
