"""Canonical addresses-of-record (RFC 3261 section 10.3 step 5)."""

import pytest

from sipwright.modules.aor import canonical_aor


@pytest.mark.parametrize(
    ("uri", "user", "with_domain"),
    [
        ("sip:alice@example.com", "alice", "alice@example.com"),
        ("SIPS:Alice@EXAMPLE.com:5061;transport=tls?x=y", "alice", "alice@example.com"),
        ("sip:%61lice:secret@example.com", "alice", "alice@example.com"),
        ("sip:a;b?c@[2001:DB8::1]:5060", "a;b?c", "a;b?c@2001:db8::1"),
        ("sip:example.com", "example.com", "example.com"),
        ("sip:example.com;transport=tcp", "example.com", "example.com"),
        ("tel:+1-201-555.0123;phone-context=x", "+12015550123", "+12015550123"),
    ],
)
def test_forms(uri: str, user: str, with_domain: str) -> None:
    assert canonical_aor(uri) == user
    assert canonical_aor(uri, use_domain=True) == with_domain


@pytest.mark.parametrize("uri", ["", "alice", "mailto:alice@example.com", "sip:", "sip:alice@", "tel:"])
def test_what_is_no_address_of_record(uri: str) -> None:
    assert canonical_aor(uri) is None


def test_case_of_the_user_is_kept_on_request() -> None:
    assert canonical_aor("sip:Alice@Example.com", use_domain=True, case_sensitive=True) == "Alice@example.com"
