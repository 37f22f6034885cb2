"""A pjsua2 softphone driven over standard input; run as a process of its own, since pjsip is one per process.

Arguments: udp|tls USER SERVER_HOST SERVER_PORT [CA_FILE]; PHONE_PASSWORD of the environment answers challenges. Commands, one a line: `call URI`, `hangup`, `quit`.
Events, one a line after the word `event`: `registered CODE`, `incoming CALL_ID`, `confirmed CALL_ID`,
`ended CODE CALL_ID`.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Any

import pjsua2 as pj

POLL_MS = 20


def say(*words: object) -> None:
    # pjsip writes to standard output too until its log is configured.
    print("event", *words, flush=True)


class Call(pj.Call):  # type: ignore[misc]
    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            say("confirmed", info.callIdString)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            say("ended", info.lastStatusCode, info.callIdString)


class Account(pj.Account):  # type: ignore[misc]
    call: Call | None = None

    def onRegState(self, prm: Any) -> None:
        if prm.expiration:
            say("registered", prm.code)

    def onIncomingCall(self, prm: Any) -> None:
        self.call = Call(self, prm.callId)
        say("incoming", self.call.getInfo().callIdString)
        answer = pj.CallOpParam()
        answer.statusCode = 200
        self.call.answer(answer)


def endpoint(proto: str, ca_file: str | None) -> Any:
    ep = pj.Endpoint()
    ep.libCreate()
    config = pj.EpConfig()
    config.logConfig.level, config.logConfig.consoleLevel = 4, 0
    config.logConfig.filename = "/dev/stderr"
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    ep.libInit(config)
    transport = pj.TransportConfig()
    transport.boundAddress = "127.0.0.1"
    if proto == "tls":
        transport.tlsConfig.CaListFile = ca_file
        transport.tlsConfig.verifyServer = True
    ep.transportCreate(pj.PJSIP_TRANSPORT_TLS if proto == "tls" else pj.PJSIP_TRANSPORT_UDP, transport)
    ep.libStart()
    ep.audDevManager().setNullDev()
    return ep


def account(proto: str, user: str, host: str, port: str) -> Account:
    config = pj.AccountConfig()
    config.idUri = f"sip:{user}@{host}:{port}"
    config.regConfig.registrarUri = f"sip:{host}:{port};transport={proto}"
    # Whatever is called, the request goes to our server.
    config.sipConfig.proxies.push_back(f"sip:{host}:{port};transport={proto};lr")
    if password := os.environ.get("PHONE_PASSWORD"):
        config.sipConfig.authCreds.push_back(pj.AuthCredInfo("digest", "*", user, 0, password))
    created = Account()
    created.create(config)
    return created


_waiting: list[str] = []


def next_command(ep: Any) -> list[str]:
    """Let pjsip work until a command comes; the end of the input means quit."""
    while not _waiting:
        ep.libHandleEvents(POLL_MS)
        if select.select([0], [], [], 0)[0]:
            _waiting.extend(os.read(0, 4096).decode().splitlines() or ["quit"])
    return _waiting.pop(0).split()


def main() -> None:
    proto, user, host, port, *ca_file = sys.argv[1:]
    ep = endpoint(proto, ca_file[0] if ca_file else None)
    phone = account(proto, user, host, port)
    while (command := next_command(ep)) != ["quit"]:
        if command[0] == "call":
            phone.call = Call(phone)
            phone.call.makeCall(command[1], pj.CallOpParam(True))
        elif command[0] == "hangup" and phone.call:
            phone.call.hangup(pj.CallOpParam())
    # Order matters to pjsip: calls and accounts go before the endpoint.
    phone.call = None
    phone.shutdown()
    ep.libDestroy()


if __name__ == "__main__":
    main()
