"""What a REGISTER does to the location table; results as Kamailio's save() gives them."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from sipwright.modules.registrar import ONE_CONTACT, Outcome, Registration, parse_q, register
from sipwright.modules.usrloc import Table
from sipwright.settings.model import RegistrarSettings

SETTINGS = RegistrarSettings(max_contacts=3)


@dataclass
class Contact:
    uri: str
    params: dict[str, str] = field(default_factory=dict)


@dataclass
class Phone:
    """Sends REGISTERs for one address-of-record, with a rising CSeq."""

    table: Table = field(default_factory=lambda: Table("location", 100))
    settings: RegistrarSettings = SETTINGS
    cseq: int = 0

    def register(self, *contacts: Contact, now: float = 0.0, save_flags: int = 0, **more: Any) -> Outcome:
        self.cseq += 1
        values: dict[str, Any] = {"call_id": "c1", "cseq": self.cseq, "aor": "alice", **more}
        return register(self.table, Registration(contacts=contacts, **values), self.settings, now, save_flags)

    def uris(self, now: float = 0.0) -> list[str]:
        return [binding.uri for binding in self.table.live("alice", now)]


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
    assert phone.uris(99.9) == [A, B]
    assert phone.uris(100.0) == [B]
    assert phone.table.sweep(150.0) == 1
    assert len(phone.table) == 1


@pytest.mark.parametrize(
    ("param", "header_value", "granted"),
    [
        (None, None, 3600),
        (None, "120", 120),
        ("90", "120", 90),
        ("abc", "120", 120),
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
    phone = Phone(settings=RegistrarSettings(too_brief="raise"))
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
    phone = Phone(table=Table("location", 1))
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
    assert phone.table.live("alice", 0.0)[0].path == path
    assert header(phone.register(Contact(B), path=path), "Path") is None


def test_strict_path_mode_refuses_those_who_do_not() -> None:
    phone = Phone(settings=RegistrarSettings(path_mode=2))
    outcome = phone.register(Contact(A), path="<sip:p1.example.com;lr>")
    assert (outcome.result, outcome.status, header(outcome, "Unsupported")) == (-1, 420, "path")


def test_where_a_contact_was_seen_is_kept() -> None:
    phone = Phone()
    contact = Contact(A, {"+sip.instance": '"<urn:uuid:1>"', "reg-id": "1"})
    outcome = phone.register(contact, received="sip:192.0.2.1:4000", socket=2, connection=7)
    binding = phone.table.live("alice", 0.0)[0]
    assert (binding.received, binding.socket, binding.connection) == ("sip:192.0.2.1:4000", 2, 7)
    text = f'<{A}>;expires=3600;received="sip:192.0.2.1:4000";+sip.instance="<urn:uuid:1>";reg-id=1'
    assert header(outcome, "Contact") == text


def test_the_record_id_stays_when_a_binding_is_renewed() -> None:
    phone = Phone()
    phone.register(Contact(A))
    first = phone.table.live("alice", 0.0)[0].ruid
    phone.register(Contact(A), Contact(B))
    assert phone.table.live("alice", 0.0)[0].ruid == first
    assert phone.table.live("alice", 0.0)[1].ruid != first


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, -1), ("1", 1000), ("1.0", 1000), ("0", 0), ("0.5", 500), ("0.123", 123), (".7", 700),
        ("", None), (".", None), ("7", None), ("1.5", None), ("0.1234", None), ("x", None), ("-1", None),
    ],
)  # fmt: skip
def test_q_values(text: str | None, value: int | None) -> None:
    assert parse_q(text) == value


def test_a_wrong_q_is_refused() -> None:
    outcome = Phone().register(Contact(A, {"q": "7"}))
    assert (outcome.result, outcome.status) == (-1, 400)
