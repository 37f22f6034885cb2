"""JsSIP in a headless Chromium registers and calls through the server, over WebSocket with and without TLS."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import SCRIPTS, Start
from sipwright.control.client import call
from support.browser import Browser, chromium
from support.callers import within
from support.certificates import Certificates
from support.control import data_of
from support.media import rtpengine
from support.messages import Sip
from support.peers import eventually
from support.phones import Phone
from support.plain_phone import PACKETS, WAIT_S, PlainPhone, assert_plain, assert_secure, assert_sound, media_port
from support.servers import ROOT, Server
from support.tools import MissingTool, tool
from support.users import PASSWORD, REALM, users_database

PAGES = ROOT / "tests" / "support" / "pages"
BUNDLE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "browser" / "jssip.js"
# A microphone that beeps, no question to the user, and addresses that need no multicast DNS.
MEDIA = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--ignore-certificate-errors",
)
CARRIER = {"ws": "tcp", "wss": "tls"}
# A browser on a machine that is busy with other things.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class Page(SimpleHTTPRequestHandler):
    """The page with the phones, and JsSIP."""

    def translate_path(self, path: str) -> str:
        return str(BUNDLE) if path == "/jssip.js" else super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Address of the page: loopback, where browsers allow a microphone without TLS."""
    if not BUNDLE.exists():
        tool("npm")
        raise MissingTool(f"{BUNDLE} is missing: make {BUNDLE.relative_to(ROOT)} says why")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Page, directory=str(PAGES))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*MEDIA) as window:
        yield window


@pytest.fixture
def server(start: Start, tmp_path: Path, certs: Certificates, site: str, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("ORIGINS", site)
    return start(ROOT / "examples" / "websocket.py", "udp", "tcp", "tls", settings=settings_of(tmp_path, certs))


def settings_of(directory: Path, certs: Certificates) -> dict[str, object]:
    url = users_database(directory)
    return {
        **certs.settings(),
        "auth_db.db_url": url,
        "xhttp.event_callback": "ksr_xhttp_event",
        "aliases": REALM,
    }


class Phones:
    """The phones of one page."""

    def __init__(self, browser: Browser, site: str, server: Server, proto: str) -> None:
        host, port = server.address(CARRIER[proto])
        self.browser, self.url = browser, f"{proto}://{host}:{port}/sip"
        browser.look(f"{site}/phones.html")

    def add(self, user: str, password: str = PASSWORD) -> None:
        self.browser.driver.execute_script("phone(...arguments)", user, password, REALM, self.url)

    def register(self, user: str) -> None:
        """Adds a phone, and waits until it is registered."""
        self.add(user)
        self.expect(f"{user} registered 200")

    def run(self, script: str, *arguments: str) -> object:
        return self.browser.driver.execute_script(script, *arguments)

    def said(self) -> list[str]:
        found = self.run("return said")
        assert isinstance(found, list)
        return found

    def expect(self, what: str) -> None:
        """Waits until that has happened to a phone."""
        try:
            self.browser.until(lambda: what in self.said(), what)
        except Exception as error:
            raise AssertionError(f"not {what!r}, but {self.said()}; console: {self.browser.complaints()}") from error


@pytest.mark.parametrize("proto", ["ws", "wss"])
def test_two_browsers_call_each_other(browser: Browser, site: str, server: Server, proto: str) -> None:
    phones = Phones(browser, site, server, proto)
    for user in ("alice", "bob"):
        phones.register(user)
    assert server.route_calls("REGISTER") == 4, "each once to be challenged, once with credentials"
    connections = call(data_of(server), "ws.dump")
    assert [one["proto"] for one in connections] == [proto, proto]

    phones.run("phones.alice.sendMessage(arguments[0], 'hello')", f"sip:bob@{REALM}")
    phones.expect("bob message hello")
    phones.run("dial(...arguments)", "alice", f"sip:bob@{REALM}")
    phones.expect("bob called by alice")
    for event in ("alice accepted", "bob accepted", "alice confirmed", "bob confirmed"):
        phones.expect(event)
    for user in ("alice", "bob"):
        # Media goes from browser to browser: both have taken the other's certificate from the SDP that passed through.
        browser.until(lambda user=user: phones.run("return heard(arguments[0])", user) == "connected", f"{user} hears")  # type: ignore[misc]
    phones.run("sessions.alice.sendDTMF('5')")
    phones.expect("bob digit 5")
    phones.run("sessions.bob.terminate()")
    phones.expect("alice ended Terminated")
    phones.expect("bob ended Terminated")
    assert server.route_calls("INVITE") == 2, "once to be challenged, once with credentials"
    assert [server.route_calls(method) for method in ("ACK", "INFO", "BYE")] == [1, 1, 1]

    phones.run("phones.bob.unregister()")
    phones.expect("bob unregistered")
    phones.run("dial(...arguments)", "alice", f"sip:bob@{REALM}")
    phones.expect("alice failed Not Found")


def test_a_browser_and_a_phone_on_udp(browser: Browser, site: str, server: Server, tmp_path: Path) -> None:
    """Their media do not fit together: the browser turns the call down with its own words, which reach the phone."""
    phones = Phones(browser, site, server, "ws")
    phones.register("bob")
    with Phone("udp", "alice", server.address("udp"), tmp_path, password=PASSWORD) as alice:
        alice.event("registered")
        alice.tell(f"call sip:bob@{REALM}:{server.port('udp')}")
        phones.expect("bob called by alice")
        assert alice.event("ended").split()[0] == "488"
    phones.expect("bob failed WebRTC Error")


def test_wrong_password(browser: Browser, site: str, server: Server) -> None:
    phones = Phones(browser, site, server, "ws")
    phones.add("alice", "wrong")
    phones.expect("alice refused 401")
    assert server.route_calls("REGISTER") == 2


def test_a_page_of_another_origin(browser: Browser, site: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from the same machine under another name, and no WebSocket is opened for it."""
    phones = Phones(browser, site.replace("127.0.0.1", "localhost"), server, "ws")
    phones.add("alice")
    phones.expect("alice disconnected")
    assert "alice connected" not in phones.said()
    assert any("403" in line for line in browser.complaints())
    assert server.route_calls("REGISTER") == 0
    assert call(data_of(server), "ws.dump") == []


def test_the_connection_is_lost(browser: Browser, site: str, server: Server) -> None:
    """The phone connects and registers again, and is reached over the new connection."""
    phones = Phones(browser, site, server, "ws")
    phones.register("bob")
    [connection] = call(data_of(server), "ws.dump")
    call(data_of(server), "ws.close", [connection["id"]])
    phones.expect("bob disconnected")
    browser.until(lambda: phones.said().count("bob registered 200") == 2, "bob has registered again")
    [again] = call(data_of(server), "ws.dump")
    assert again["id"] != connection["id"]
    phones.add("alice")
    phones.expect("alice registered 200")
    phones.run("phones.alice.sendMessage(arguments[0], 'again')", f"sip:bob@{REALM}")
    phones.expect("bob message again")


@pytest.fixture
def gateway(
    start: Start, tmp_path: Path, certs: Certificates, site: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A server with rtpengine beside it."""
    monkeypatch.setenv("ORIGINS", site)
    monkeypatch.setenv("EXAMPLES", str(ROOT / "examples"))
    with rtpengine(tmp_path) as media:
        more = {"rtpengine.rtpengine_sock": media}
        yield start(SCRIPTS / "gateway.py", "udp", "tcp", "tls", settings={**settings_of(tmp_path, certs), **more})


def play(gateway: Server, story: Callable[[PlainPhone], Awaitable[None]]) -> None:
    async def run() -> None:
        async with PlainPhone.registered(gateway) as phone:
            await story(phone)

    asyncio.run(run())
    assert call(data_of(gateway), "rtpengine.get_hash_total") == 0


def hears(phones: Phones) -> bool:
    """Whether bob's browser has got packets, and decrypted them."""
    return int(str(phones.run("return packets('bob')"))) >= PACKETS


def routes(message: Sip) -> list[str]:
    return [route.strip() for header in message.all("Record-Route") for route in header.split(",")]


@pytest.mark.parametrize("proto", ["ws", "wss"])
def test_a_browser_calls_a_phone(browser: Browser, site: str, gateway: Server, proto: str) -> None:
    phones = Phones(browser, site, gateway, proto)
    phones.register("bob")

    async def story(phone: PlainPhone) -> None:
        phones.run("dial(...arguments)", "bob", f"sip:alice@{REALM}")
        invite = await phone.next("INVITE")
        assert_plain(invite.body)
        ours, theirs = invite.all("Via")
        assert ours.startswith("SIP/2.0/UDP {}:{};".format(*gateway.address("udp")))
        # RFC 7118 section 5: the browser does not know where it is; the gateway says where it came from.
        assert re.match(rf"SIP/2\.0/{proto.upper()} [a-z0-9]+\.invalid;", theirs), theirs
        assert "received=127.0.0.1" in theirs
        to_phone, to_browser = routes(invite)
        assert f":{gateway.port('udp')};" in to_phone
        assert "transport=ws" not in to_phone
        assert f":{gateway.port(CARRIER[proto])};transport=ws" in to_browser
        phone.reply(invite, 200, "OK", phone.sdp)
        assert (await phone.next("ACK"))["Call-ID"] == invite["Call-ID"]
        await asyncio.to_thread(phones.expect, "bob confirmed")
        answer = Sip.parse(str(phones.run("return messages.bob")).encode())
        assert_secure(answer.body.decode())
        assert [via.partition(";")[0] for via in answer.all("Via")] == [theirs.partition(";")[0]]
        assert routes(answer) == [to_phone, to_browser]
        async with phone.talking(media_port(invite.body)) as heard:
            await eventually(lambda: len(heard) >= PACKETS, WAIT_S)
            await asyncio.to_thread(browser.until, lambda: hears(phones), "bob hears alice")
        assert_sound(heard)
        phones.run("sessions.bob.terminate()")
        bye = await phone.next("BYE")
        assert bye["Call-ID"] == invite["Call-ID"]
        phone.reply(bye, 200, "OK")
        await asyncio.to_thread(phones.expect, "bob ended Terminated")

    play(gateway, story)


@pytest.mark.parametrize("proto", ["ws", "wss"])
def test_a_phone_calls_a_browser(browser: Browser, site: str, gateway: Server, proto: str) -> None:
    phones = Phones(browser, site, gateway, proto)
    phones.register("bob")

    async def story(phone: PlainPhone) -> None:
        ok = await phone.ask("INVITE", f"sip:bob@{REALM}", phone.sdp)
        assert ok.status == 200
        assert_plain(ok.body)
        invite = Sip.parse(str(phones.run("return messages.bob")).encode())
        assert_secure(invite.body.decode())
        ours, theirs = invite.all("Via")
        assert ours.startswith(f"SIP/2.0/{proto.upper()} 127.0.0.1:{gateway.port(CARRIER[proto])};")
        assert theirs.startswith("SIP/2.0/UDP {}:{};".format(*phone.peer.address))
        to_browser, to_phone = routes(invite)
        assert f":{gateway.port(CARRIER[proto])};transport=ws" in to_browser
        assert f":{gateway.port('udp')};" in to_phone
        assert routes(ok) == [to_browser, to_phone]
        phone.peer.send(within("ACK", ok, phone.peer), phone.address)
        await asyncio.to_thread(phones.expect, "bob confirmed")
        async with phone.talking(media_port(ok.body)) as heard:
            await eventually(lambda: len(heard) >= PACKETS, WAIT_S)
            await asyncio.to_thread(browser.until, lambda: hears(phones), "bob hears alice")
        assert_sound(heard)
        assert (await phone.peer.ask(within("BYE", ok, phone.peer), phone.address, WAIT_S)).status == 200
        await asyncio.to_thread(phones.expect, "bob ended Terminated")

    play(gateway, story)
