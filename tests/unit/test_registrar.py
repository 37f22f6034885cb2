"""What a REGISTER does to the location table; results as Kamailio's save() gives them."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from sipwright.modules.register_request import rules
from sipwright.modules.registrar import ONE_CONTACT, Outcome, Registration, parse_q, register
from sipwright.modules.usrloc import Location
from sipwright.settings import Settings
from sipwright.settings.registrar import RegistrarSettings
from sipwright.settings.usrloc import UsrlocSettings

START = 1_700_000_000
SETTINGS = RegistrarSettings(max_contacts=3)


@dataclass
class Contact:
    uri: str
    params: dict[str, str] = field(default_factory=dict)


@dataclass
class Phone:
    """Sends REGISTERs for one address-of-record, with a rising CSeq."""

    table: Location = field(default_factory=lambda: Location("location", UsrlocSettings(max_bindings=100)))
    settings: RegistrarSettings = SETTINGS
    cseq: int = 0

    def register(self, *contacts: Contact, now: int = 0, save_flags: int = 0, **more: Any) -> Outcome:
        self.cseq += 1
        values: dict[str, Any] = {"call_id": "c1", "cseq": self.cseq, "aor": "alice", **more}
        registration = Registration(contacts=contacts, **values)
        known = rules(Settings(registrar=self.settings))
        return register(self.table, registration, self.settings, known, START + now, save_flags)

    def uris(self, now: int = 0) -> list[str]:
        return [binding.uri for binding in self.table.live("alice", START + now)]


def header(outcome: Outcome, name: str) -> str | None:
    found = [line.partition(": ")[2] for line in outcome.headers if line.startswith(name + ":")]
    return found[0] if found else None


A, B, C, D = (f"sip:alice@127.0.0.1:{port}" for port in (5001, 5002, 5003, 5004))


def test_insert_update_fetch_delete() -> None:
    phone = Phone()
    assert phone.register(Contact(A)).result == 1
    assert phone.register(Contact(A)).result == 2
    fetched = phone.register()
    assert (fetched.result, fetched.status, header(fetched, "Contact")) == (4, 200, f"<{A}>;expires=3600")
    removed = phone.register(Contact(A, {"expires": "0"}))
    assert (removed.result, removed.status, header(removed, "Contact")) == (3, 200, None)
    assert phone.uris() == []
    assert len(phone.table) == 0


def test_the_answer_lists_all_bindings_by_q() -> None:
    phone = Phone()
    phone.register(Contact(A))
    outcome = phone.register(Contact(B, {"q": "0.5"}), Contact(C, {"q": "0.75", "expires": "300"}))
    assert outcome.result == 1
    assert header(outcome, "Contact") == f"<{C}>;q=0.75;expires=300, <{B}>;q=0.5;expires=3600, <{A}>;expires=3600"


def test_a_binding_ends_with_its_time() -> None:
    phone = Phone()
    phone.register(Contact(A, {"expires": "100"}), Contact(B, {"expires": "200"}))
    assert phone.uris(99) == [A, B]
    assert phone.uris(100) == [B]
    ended: list[str] = []
    assert phone.table.sweep(START + 150, lambda binding: ended.append(binding.uri)) == 1
    assert ended == [A]
    assert len(phone.table) == 1


@pytest.mark.parametrize(
    ("param", "header_value", "granted"),
    [
        (None, None, 3600),
        (None, "120", 120),
        ("90", "120", 90),
        ("abc", "120", 3600),
        ("abc", None, 3600),
        ("99999999999999999999999", None, 86400),
        ("-5", None, 3600),
    ],
)
def test_how_long_a_binding_lasts(param: str | None, header_value: str | None, granted: int) -> None:
    phone = Phone()
    outcome = phone.register(Contact(A, {} if param is None else {"expires": param}), expires=header_value)
    assert header(outcome, "Contact") == f"<{A}>;expires={granted}"


def test_too_brief_is_refused_with_423_and_changes_nothing() -> None:
    phone = Phone()
    outcome = phone.register(Contact(A), Contact(B, {"expires": "10"}))
    assert (outcome.result, outcome.status) == (-1, 423)
    assert header(outcome, "Min-Expires") == "60"
    assert phone.uris() == []


def test_too_brief_is_lengthened_on_request_as_kamailio_does() -> None:
    phone = Phone(settings=RegistrarSettings(min_expires_mode=0))
    assert header(phone.register(Contact(A, {"expires": "10"})), "Contact") == f"<{A}>;expires=60"


def test_too_many_contacts_are_refused_as_a_whole() -> None:
    phone = Phone()
    phone.register(Contact(A), Contact(B))
    outcome = phone.register(Contact(C), Contact(D))
    assert (outcome.result, outcome.status) == (-2, 503)
    assert header(outcome, "P-Registrar-Error") == "Too many registered contacts"
    assert phone.uris() == [A, B]


def test_a_contact_may_be_replaced_when_all_places_are_taken() -> None:
    phone = Phone()
    phone.register(Contact(A), Contact(B), Contact(C))
    assert phone.register(Contact(A, {"expires": "0"}), Contact(D)).status == 200
    assert phone.uris() == [B, C, D]


def test_a_full_table_refuses_new_contacts_only() -> None:
    phone = Phone(table=Location("location", UsrlocSettings(max_bindings=1)))
    phone.register(Contact(A))
    assert phone.register(Contact(B)).status == 503
    assert phone.register(Contact(A)).status == 200


def test_star_removes_everything() -> None:
    phone = Phone()
    phone.register(Contact(A), Contact(B))
    outcome = phone.register(Contact("*"), expires="0")
    assert (outcome.result, outcome.status) == (3, 200)
    assert phone.uris() == []
    assert phone.register(Contact("*"), expires="0").result == 3


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [([Contact("*")], None), ([Contact("*")], "10"), ([Contact("*"), Contact(A)], "0")],
)
def test_a_wrong_star_is_refused(contacts: list[Contact], expires: str | None) -> None:
    phone = Phone()
    phone.register(Contact(B))
    outcome = phone.register(*contacts, expires=expires)
    assert (outcome.result, outcome.status) == (-1, 400)
    assert phone.uris() == [B]


def test_an_older_request_of_the_same_call_is_refused() -> None:
    phone = Phone()
    phone.register(Contact(A), cseq=5)
    outcome = phone.register(Contact(A, {"expires": "0"}), cseq=4)
    assert (outcome.result, outcome.status) == (-1, 400)
    assert header(outcome, "P-Registrar-Error") == "Invalid CSeq number"
    assert phone.uris() == [A]
    assert phone.register(Contact("*"), expires="0", cseq=4).status == 400


def test_a_retransmission_changes_nothing_and_is_answered_with_200() -> None:
    phone = Phone()
    phone.register(Contact(A), cseq=5)
    outcome = phone.register(Contact(A, {"expires": "0"}), cseq=5)
    assert (outcome.result, outcome.status) == (1, 200)
    assert phone.uris() == [A]


def test_another_call_may_have_any_cseq() -> None:
    phone = Phone()
    phone.register(Contact(A), cseq=5)
    assert phone.register(Contact(A), cseq=1, call_id="c2").result == 2


def test_one_contact_replaces_the_others_on_request() -> None:
    phone = Phone()
    phone.register(Contact(A), Contact(B), Contact(C))
    assert phone.register(Contact(D), save_flags=ONE_CONTACT).result == 1
    assert phone.uris() == [D]


def test_removing_what_is_not_there_is_no_error() -> None:
    phone = Phone()
    assert phone.register(Contact(A, {"expires": "0"})).status == 200


def test_path_is_kept_and_returned_to_those_who_support_it() -> None:
    phone, path = Phone(), "<sip:p1.example.com;lr>,<sip:p2.example.com;lr>"
    outcome = phone.register(Contact(A), path=path, supported=frozenset({"path"}))
    assert header(outcome, "Path") == path
    assert phone.table.live("alice", START)[0].path == path
    assert header(phone.register(Contact(B), path=path), "Path") is None


def test_strict_path_mode_refuses_those_who_do_not() -> None:
    phone = Phone(settings=RegistrarSettings(path_mode=2))
    outcome = phone.register(Contact(A), path="<sip:p1.example.com;lr>")
    assert (outcome.result, outcome.status, header(outcome, "Unsupported")) == (-1, 420, "path")


def test_where_a_contact_was_seen_is_kept() -> None:
    phone = Phone()
    contact = Contact(A, {"+sip.instance": '"<urn:uuid:1>"', "reg-id": "1"})
    outcome = phone.register(contact, received="sip:192.0.2.1:4000", socket="udp:192.0.2.9:5060", connection=7)
    binding = phone.table.live("alice", START)[0]
    assert (binding.received, binding.socket, binding.connection) == ("sip:192.0.2.1:4000", "udp:192.0.2.9:5060", 7)
    text = f'<{A}>;expires=3600;received="sip:192.0.2.1:4000";+sip.instance="<urn:uuid:1>";reg-id=1'
    assert header(outcome, "Contact") == text


def test_the_record_id_stays_when_a_binding_is_renewed() -> None:
    phone = Phone()
    phone.register(Contact(A))
    first = phone.table.live("alice", START)[0].ruid
    phone.register(Contact(A), Contact(B))
    assert phone.table.live("alice", START)[0].ruid == first
    assert phone.table.live("alice", START)[1].ruid != first


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, -1), ("1", 1000), ("1.0", 1000), ("0", 0), ("0.5", 500), ("0.123", 123), (".7", 700),
        ("", None), (".", None), ("7", None), ("1.5", None), ("0.1234", 123), ("x", None), ("-1", None),
    ],
)  # fmt: skip
def test_q_values(text: str | None, value: int | None) -> None:
    assert parse_q(text) == value


def test_a_wrong_q_is_refused() -> None:
    outcome = Phone().register(Contact(A, {"q": "7"}))
    assert (outcome.result, outcome.status) == (-1, 400)


ONE_INSTANCE = {"+sip.instance": '"<urn:uuid:1>"'}


def test_an_instance_has_one_binding_for_each_flow() -> None:
    """RFC 5626 section 6: the same instance and reg-id replace, whatever the contact."""
    phone = Phone(settings=RegistrarSettings(outbound_mode=1))
    outbound = frozenset({"outbound"})
    phone.register(Contact(A, {**ONE_INSTANCE, "reg-id": "1"}), supported=outbound)
    phone.register(Contact(B, {**ONE_INSTANCE, "reg-id": "2"}), supported=outbound)
    outcome = phone.register(Contact(C, {**ONE_INSTANCE, "reg-id": "1"}), supported=outbound)
    assert phone.uris() == [C, B]
    assert (header(outcome, "Require"), header(outcome, "Supported")) == ("outbound", "outbound")


def test_a_flow_through_a_proxy_that_knows_none_is_refused() -> None:
    phone = Phone(settings=RegistrarSettings(outbound_mode=1))
    contact = Contact(A, {**ONE_INSTANCE, "reg-id": "1"})
    more: dict[str, Any] = {"supported": frozenset({"outbound", "path"}), "via_count": 2}
    assert phone.register(contact, path="<sip:edge;lr>", **more).status == 439
    assert phone.uris() == []
    assert phone.register(contact, path="<sip:far;lr>,<sip:edge;lr;ob>", **more).status == 200


@pytest.mark.parametrize(("mode", "status"), [(0, 200), (1, 200), (2, 421)])
def test_clients_without_outbound(mode: Any, status: int) -> None:
    phone = Phone(settings=RegistrarSettings(outbound_mode=mode))
    assert phone.register(Contact(A)).status == status


def test_required_outbound_is_refused_where_it_is_off() -> None:
    outcome = Phone().register(Contact(A), required=frozenset({"outbound"}))
    assert (outcome.status, header(outcome, "Unsupported")) == (420, "outbound")


def test_gruus_are_told_to_those_who_ask() -> None:
    phone = Phone()
    outcome = phone.register(Contact(A, ONE_INSTANCE), gruu=("alice", "example.com"))
    ruid = phone.table.live("alice", START)[0].ruid
    text = header(outcome, "Contact") or ""
    assert ';pub-gruu="sip:alice@example.com;gr=urn:uuid:1"' in text
    assert f';temp-gruu="sip:{ruid}@example.com;gr"' in text
    assert phone.table.aor_of(ruid) == "alice"


def test_a_long_contact_is_refused() -> None:
    outcome = Phone().register(Contact("sip:" + "x" * 600 + "@127.0.0.1"))
    assert (outcome.status, header(outcome, "P-Registrar-Error")) == (400, "Contact/received too long")


def test_a_retransmission_that_comes_late_is_refused() -> None:
    phone = Phone()
    phone.register(Contact(A), cseq=5)
    assert phone.register(Contact(A), cseq=5, now=19).status == 200
    assert phone.register(Contact(A), cseq=5, now=20).status == 400


@pytest.mark.parametrize(
    ("mode", "call_id", "path", "count"),
    [(0, "c2", "<sip:p;lr>", 1), (1, "c2", "", 2), (1, "c1", "", 1), (2, "c1", "<sip:p;lr>", 2), (2, "c2", "", 1)],
)
def test_matching_modes(mode: Any, call_id: str, path: str, count: int) -> None:
    phone = Phone(table=Location("location", UsrlocSettings(matching_mode=mode)))
    phone.register(Contact(A))
    phone.register(Contact(A), call_id=call_id, path=path)
    assert len(phone.uris()) == count


def test_matching_by_call_id_replaces_the_contact() -> None:
    phone = Phone(table=Location("location", UsrlocSettings(matching_mode=3)))
    phone.register(Contact(A))
    phone.register(Contact(B))
    assert phone.uris() == [B]


def test_the_newest_comes_first_on_request() -> None:
    phone = Phone(table=Location("location", UsrlocSettings(desc_time_order=True)))
    phone.register(Contact(A, {"q": "0.9"}))
    phone.register(Contact(B, {"q": "0.1"}))
    assert phone.uris() == [B, A]


def test_the_script_may_wish_otherwise() -> None:
    outcome = Phone().register(Contact(A), granted_s=99, q=400)
    assert header(outcome, "Contact") == f"<{A}>;q=0.4;expires=99"
    assert Phone().register(Contact(A), Contact(B), max_contacts=1).status == 503


def test_random_expiry_stays_within_its_range() -> None:
    phone = Phone(settings=RegistrarSettings(default_expires_range=50, expires_range=10))
    for _ in range(50):
        phone.register(Contact(A), Contact(B, {"expires": "1000"}))
        first, second = (one.expires_at - START for one in phone.table.live("alice", START))
        assert 1800 <= first <= 3600
        assert 900 <= second <= 1000
