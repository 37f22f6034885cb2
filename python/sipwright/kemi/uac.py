"""KSR.uac: being a client, with Kamailio's return codes. From and To are changed by builtins."""

import time
from typing import TYPE_CHECKING, Any, Final

from sipwright import _engine, log
from sipwright.kemi.calls import ksr
from sipwright.modules.digest_client import Account, choose
from sipwright.modules.uac_registrar import UacRegistrar
from sipwright.modules.uac_requests import NO_REPLY, REPLY, RequestVariables, Sent, Waiting, made, with_credentials
from sipwright.script.worker import current_handler
from sipwright.settings.uac import UacSettings

if TYPE_CHECKING:
    from sipwright._engine import Message
    from sipwright.host import Host

__all__ = [
    "uac_auth",
    "uac_auth_mode",
    "uac_reg_disable",
    "uac_reg_enable",
    "uac_reg_lookup",
    "uac_reg_lookup_uri",
    "uac_reg_refresh",
    "uac_reg_request_to",
    "uac_reg_status",
    "uac_req_send",
]

_EVENT: Final = "uac:reply"
_ANSWERED: Final = "uac:answered"
_HA1: Final = 1
_CHALLENGES: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
# Challenges of one response that are looked at.
_MAX_CHALLENGES: Final = 8
_NOT_FOUND: Final = -2
_NO_ATTRIBUTE: Final = -3

_settings = UacSettings()
_variables = RequestVariables()
_waiting = Waiting()
_registrar: UacRegistrar | None = None


def configure(host: "Host") -> None:
    """Registers `$uac_req(...)`, and begins with the registrations if there are any."""
    global _settings, _waiting, _registrar
    _settings = host.settings.uac
    _waiting = Waiting()
    host.variable("uac_req", lambda inner, _: _variables.get(inner), _variables.set)
    host.route(_ANSWERED, _answered)
    _registrar = UacRegistrar(host)
    host.count(lambda: {"uac_requests_waiting": len(_waiting)})


# ---- requests of our own -------------------------------------------------------------------------------------------


@ksr("uac.uac_req_send")
def uac_req_send() -> int:
    """Sends the request that `$uac_req(...)` describes: 1, or -1 when it cannot be sent."""
    try:
        request = made(_variables, _settings.default_socket)
        texts = _variables.texts
        tells = _variables.numbers.get("evroute", 0) == 1
        sent = Sent(request, texts.get("auser", ""), texts.get("apasswd", ""), tells, texts.get("evparam", ""))
        _waiting.send(sent, _ANSWERED)
    except ValueError as error:
        log.error(f"KSR.uac.uac_req_send: {error}")
        return -1
    return 1


def _answered(message: "Message", number: str) -> None:
    """The final response to a request of `uac_req_send`, or the request itself when none came."""
    sent = _waiting.take(number)
    if sent is None:
        return
    is_reply = message.Type == "SIP_REPLY"
    code = int(message.Status) if is_reply else int(_engine.pv_get("$T_reply_code") or 408)
    if is_reply and code in _CHALLENGES and sent.username and not sent.answered_challenge:
        _try_again(message, sent, code)
    if sent.tells and _settings.event_callback:
        _tell(message, sent, code, is_reply)


def _try_again(message: "Message", sent: Sent, code: int) -> None:
    challenge, authorization = _CHALLENGES[code]
    request = sent.request
    account = Account(sent.username, sent.password)
    for found in choose(message.headers(challenge)[:_MAX_CHALLENGES]):
        try:
            value = found.answer(account, request.method, request.uri, request.body)
            again = with_credentials(request, authorization, value)
            _waiting.send(Sent(again, sent.username, sent.password, sent.tells, sent.parameter, True), _ANSWERED)
        except ValueError as error:
            log.error(f"KSR.uac: {request.method} {request.uri} with credentials: {error}")
        return
    log.error(f"KSR.uac: {code} to {request.method} {request.uri} has no challenge that is understood")


def _tell(message: "Message", sent: Sent, code: int, is_reply: bool) -> None:
    method: Any = getattr(current_handler(), _settings.event_callback, None)
    if not callable(method):
        log.error(f"KSR.uac: the handler has no method {_settings.event_callback}, which uac.event_callback names")
        return
    before = dict(_variables.numbers), _variables.texts.get("evparam")
    _variables.numbers |= {"evcode": code, "evtype": REPLY if is_reply else NO_REPLY}
    _variables.set("evparam", sent.parameter)
    try:
        method(message, _EVENT)
    finally:
        _variables.numbers = before[0]
        _variables.set("evparam", before[1])


# ---- credentials for requests that are relayed ---------------------------------------------------------------------


@ksr("uac.uac_auth")
def uac_auth() -> int:
    """In a failure route for 401 or 407: adds credentials to the request, for `t_relay`: 1, or -1 when there are none."""
    return _authenticate(0)


@ksr("uac.uac_auth_mode")
def uac_auth_mode(mode: int) -> int:
    """As `uac_auth`; mode 1 takes what is in `uac.auth_password_avp` for HA1."""
    return _authenticate(mode)


def _authenticate(mode: int) -> int:
    code = _engine.pv_get("$T_reply_code")
    if _engine.tmx_t_is_failure_route() != 1 or not isinstance(code, int) or code not in _CHALLENGES:
        log.error("KSR.uac.uac_auth: only for 401 and 407 in a failure route")
        return -1
    challenge, authorization = _CHALLENGES[code]
    uri = _engine.pv_get("$T_branch(uri)") or _engine.pv_get("$ru")
    message = _engine.current()
    for found in choose(_challenges(challenge)):
        account = _account(found.realm, mode)
        if account is None or not account.fits(found.algorithm.removesuffix("-SESS")):
            continue
        try:
            value = found.answer(account, str(_engine.pv_get("$rm")), str(uri), message.body())
        except ValueError as error:
            log.error(f"KSR.uac.uac_auth: {error}")
            continue
        _engine.hdr_append(f"{authorization}: {value}\r\n")
        # The request is to go to the same place once more.
        _engine.pv_sets("$ru", str(uri))
        return 1
    log.error(f"KSR.uac.uac_auth: no credentials for a challenge of this {code}")
    return -1


def _challenges(name: str) -> list[str]:
    """The challenges of the response that failed."""
    values = (_engine.pv_get(f"$T_rpl($(hdr({name})[{index}]))") for index in range(_MAX_CHALLENGES))
    return [str(value) for value in values if value is not None]


def _account(realm: str, mode: int) -> Account | None:
    """Who answers for a realm: what the variables of `uac.auth_*_avp` say, or one of `uac.credential`."""
    user, secret, own_realm = (
        str(_engine.pv_get(pv) or "") if pv else ""
        for pv in (_settings.auth_username_avp, _settings.auth_password_avp, _settings.auth_realm_avp)
    )
    if user and own_realm in ("", realm):
        return Account(user, secret, bool(mode & _HA1))
    for line in _settings.credential:
        username, known, password = line.split(":", 2)
        if known == realm:
            return Account(username, password)
    return None


# ---- registrations elsewhere ---------------------------------------------------------------------------------------


@ksr("uac.uac_reg_lookup")
def uac_reg_lookup(uuid: str, dst: str) -> int:
    """Sets the variable `dst` to whom the calls of a registration are for: 1; -1 without the registration."""
    found = _registrations().get(uuid)
    return -1 if found is None else _written(dst, found.local_uri)


@ksr("uac.uac_reg_lookup_uri")
def uac_reg_lookup_uri(uri: str, dst: str) -> int:
    """As `uac_reg_lookup`, for the registration of the user `uri` here."""
    user, _, host = uri.partition(":")[2].partition("@")
    found = _registrations().by_user(user, host.partition(";")[0].partition(":")[0])
    return -1 if found is None else _written(dst, found.local_uri)


@ksr("uac.uac_reg_status")
def uac_reg_status(uuid: str) -> int:
    """1 registered; -1 no such registration, -2 being registered, -3 disabled, -99 waiting for the next try."""
    found = _registrations().get(uuid)
    return -1 if found is None else found.status()


@ksr("uac.uac_reg_request_to")
def uac_reg_request_to(user: str, mode: int) -> int:
    """Directs the request to the other server of a registration, with its credentials for `uac_auth`: 1, or -1.

    `user` is its l_uuid in mode 0, its l_username in mode 1.
    """
    registrations = _registrations()
    found = registrations.get(user) if mode == 0 else registrations.by_user(user)
    if found is None:
        return -1
    values = {
        "$ru": found.aor,
        "$du": found.auth_proxy,
        _settings.auth_realm_avp: found.realm,
        _settings.auth_username_avp: found.auth_username,
        _settings.auth_password_avp: found.secret[0],
    }
    return min(_written(pv, value) for pv, value in values.items() if pv and value)


@ksr("uac.uac_reg_enable")
def uac_reg_enable(attribute: str, value: str) -> int:
    """Enables the registration whose attribute has this value: 1; -2 without one, -3 for an attribute that is none."""
    return _switch(attribute, value, True)


@ksr("uac.uac_reg_disable")
def uac_reg_disable(attribute: str, value: str) -> int:
    """Disables the registration whose attribute has this value: 1; -2 without one, -3 for an attribute that is none."""
    return _switch(attribute, value, False)


@ksr("uac.uac_reg_refresh")
def uac_reg_refresh(uuid: str) -> int:
    """Reads a registration from the table again: 1; -1 when it is not there."""
    return 1 if _registrar is not None and _registrar.load_one(uuid) else -1


def _registrations() -> Any:
    assert _registrar is not None
    return _registrar.registrations


def _switch(attribute: str, value: str, on: bool) -> int:
    registrations = _registrations()
    try:
        found = registrations.find(attribute, value)
    except ValueError as error:
        log.error(f"KSR.uac.uac_reg_{'enable' if on else 'disable'}: {error}")
        return _NO_ATTRIBUTE
    if found is None:
        return _NOT_FOUND
    registrations.switch(found, on, time.monotonic())
    return 1


def _written(variable: str, value: str) -> int:
    return 1 if _engine.pv_sets(variable, value) else -1
