"""The page of a running server in a browser: live, safe from what messages say, without a mouse, on a phone."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from selenium.webdriver.common.keys import Keys

from conftest import Start
from sipwright.control.client import call
from sipwright.web.feed import MOST_CALLS
from support import tls
from support.browser import Browser, chromium
from support.certificates import Authority
from support.control import data_of
from support.http import Web
from support.messages import request
from support.peers import StreamPeer, UdpPeer
from support.servers import Server, Sipwright
from support.tls import context

HOSTILE = '"<img src=x onerror=document.title=1><script>document.title=2</script>" <sip:evil@h>'
# Every character of it may be in one (RFC 3261 section 25.1, `word`).
HOSTILE_CALL_ID = 'x"><b>bold</b><svg/onload>'
AOR = "sip:bob@127.0.0.1"
SECRET = "0123456789abcdef"
TOKEN = "a-token-of-this-test"
DESKTOP, PHONE = (1400, 900), (360, 740)
sizes = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
# A browser on a machine that is busy with other things.
pytestmark = pytest.mark.timeout(180)

SCRIPT = """
import KSR


class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.pv.get("$rU") == "raise":
            raise ValueError("<i>no</i> route")
        KSR.sl.send_reply(486, "Busy <b>Here</b>")
        return 1


def mod_init():
    return Handler()
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as window:
        yield window


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Web]]:
    """A server that refuses calls, for all tests that need no other."""
    directory = tmp_path_factory.mktemp("page")
    script = directory / "busy.py"
    script.write_text(SCRIPT)
    web = Web.chosen()
    with Sipwright(script, directory / "server", settings={**web.settings, "record.enabled": "true"}) as server:
        yield server, web


@pytest.fixture
def served(running: tuple[Server, Web]) -> tuple[Server, Web]:
    """The same with an empty recording."""
    running[1].call("record.clear")
    return running


def send(server: Server, user: str, from_: str = "<sip:alice@h>", call_id: str | None = None) -> str:
    """An INVITE with credentials, and what the script says to it; its Call-ID."""

    async def story() -> str:
        async with UdpPeer.open() as alice:
            made = request("INVITE", f"sip:{user}@h", alice.address, call_id=call_id)
            fields = tuple((n, f"{from_};tag=1" if n == "From" else v) for n, v in made.headers)
            proof = ("Authorization", f'Digest username="a", response="{SECRET}"')
            sent = type(made)(made.first_line, (*fields, proof), b"")
            assert (await alice.ask(sent, server.address("udp"))).status
            return sent["Call-ID"]

    return asyncio.run(story())


def opened(browser: Browser, web: Web, *calls: str, size: tuple[int, int] = DESKTOP, at: str = "/") -> None:
    """Opens the page and waits until it shows these calls and no others; what it is told may be a second old."""
    browser.look(f"http://127.0.0.1:{web.port}{at}", *size, dark=size == PHONE)
    browser.until(lambda: browser.text("#live") == "live", "the page is live")
    browser.until(lambda: listed(browser) == set(calls), f"{calls} are listed")


def listed(browser: Browser) -> set[str]:
    """The Call-IDs in the list."""
    return {button.get_attribute("data-call") or "" for button in browser.all("#call-list button")}


def rows(browser: Browser) -> list[str]:
    """What the ladder's rows say to a screen reader."""
    return [row.get_attribute("aria-label") or "" for row in browser.all("#ladder .row")]


@sizes
def test_calls_are_shown_and_messages_open(
    served: tuple[Server, Web], browser: Browser, size: tuple[int, int], tmp_path: Path
) -> None:
    server, web = served
    call_id = send(server, "bob")
    failed = send(server, "raise")
    opened(browser, web, call_id, failed, size=size)
    browser.click(f'#call-list button[data-call="{call_id}"]')
    browser.until(lambda: len(rows(browser)) >= 4, "the ladder is drawn")
    shown = rows(browser)
    assert shown[0].startswith("INVITE, udp:127.0.0.1:")
    assert shown[0].endswith(" to server, 0.000 s, 1 of 4")
    assert shown[1].startswith("ksr_request_route ")
    assert shown[2].startswith('KSR.sl.send_reply(486, "Busy <b>Here</b>") = 1')
    assert shown[3].startswith("486 Busy <b>Here</b>, server to udp:127.0.0.1:")
    browser.click("#ladder .row")
    browser.until(lambda: f"Call-ID: {call_id}" in browser.text("#message-text"), "the message is shown")
    assert f'response="{"x" * 16}"' in browser.text("#message-text")
    assert SECRET not in browser.driver.page_source
    browser.click("#message-on")
    browser.until(lambda: browser.text("#message-title") == "ksr_request_route", "the next row is shown")
    assert "ms" in browser.text("#message-about")
    browser.click("#message-close")
    browser.click("#decisions")
    browser.until(lambda: len(rows(browser)) == 2, "messages alone are left")

    assert "ValueError: <i>no</i> route" in browser.text("#notable summary")
    browser.click("#notable summary")
    browser.until(
        lambda: 'raise ValueError("<i>no</i> route")' in browser.text("#notable pre"), "the traceback is shown"
    )
    width = browser.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "nothing is wider than the window"
    browser.click("#notable button")
    browser.until(lambda: failed in browser.text("#call-about"), "the call that failed is shown")
    browser.driver.back()
    browser.until(lambda: call_id in browser.text("#call-about"), "the call before is shown")
    assert browser.complaints() == []


@sizes
def test_nothing_of_a_message_becomes_markup(
    served: tuple[Server, Web], browser: Browser, size: tuple[int, int]
) -> None:
    server, web = served
    call_id = send(server, "bob", HOSTILE, call_id=HOSTILE_CALL_ID)
    opened(browser, web, call_id, size=size)
    assert "evil@h" in browser.text("#call-list")
    browser.click("#call-list button")
    browser.click("#ladder .row")
    browser.until(lambda: HOSTILE in browser.text("#message-text"), "the message is shown")
    assert call_id in browser.text("#call-about")
    assert browser.driver.title == "Sipwright"
    for selector in ("main img", "main b", "main i", "main script", "svg[onload]"):
        assert browser.all(selector) == []
    assert browser.complaints() == []


def test_the_list_is_searched_and_held(served: tuple[Server, Web], browser: Browser) -> None:
    server, web = served
    first = send(server, "first")
    latest = [send(server, "bob") for _ in range(MOST_CALLS)]
    opened(browser, web, *latest)
    # It is not among those that the page is told by itself.
    browser.all("#filter")[0].send_keys("FIRST@h")
    browser.until(lambda: listed(browser) == {first}, "the first call is found")
    browser.all("#filter")[0].send_keys("x")
    browser.until(lambda: browser.text("#calls-note") == "No call matches.", "nothing is found")
    browser.all("#filter")[0].send_keys(*[Keys.BACKSPACE] * 8)
    browser.until(lambda: listed(browser) == set(latest), "all of the latest are back")
    browser.click("#hold")
    new = send(server, "carol")
    browser.until(lambda: f"{4 * (MOST_CALLS + 2)} of" in browser.text("#recording"), "the page knows of the new call")
    assert listed(browser) == set(latest)
    browser.click("#hold")
    browser.until(lambda: new in listed(browser), "the list goes on")
    assert browser.complaints() == []


def test_what_gets_in_does_not_run(served: tuple[Server, Web], browser: Browser) -> None:
    """The policy is the second wall: the browser refuses markup made of text, and everything from elsewhere."""
    opened(browser, served[1])
    browser.driver.execute_script("""
        window.refused = [];
        addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
        const tried = [
          () => document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=document.title=5>"),
          () => { document.createElement("script").textContent = "document.title = 4"; },
          () => document.body.append(Object.assign(new Image(), { src: "https://elsewhere.invalid/x.png" })),
          () => fetch("https://elsewhere.invalid/").catch(() => 0),
        ];
        for (const one of tried) try { one(); } catch {}
    """)
    wanted = {"require-trusted-types-for", "img-src", "connect-src"}
    browser.until(lambda: set(browser.driver.execute_script("return refused")) == wanted, "all of it is refused")
    assert browser.driver.title == "Sipwright"


def test_without_a_mouse(served: tuple[Server, Web], browser: Browser) -> None:
    server, web = served
    first, second = send(server, "bob"), send(server, "carol")
    opened(browser, web, first, second)
    browser.press(Keys.TAB)
    assert browser.text(":focus") == "Skip to the calls"
    tab_to(browser, "data-call", second)
    browser.press(Keys.ARROW_DOWN)
    assert browser.focus("data-call") == first
    browser.press(Keys.ENTER)
    browser.until(lambda: rows(browser), "the ladder is drawn")
    assert browser.focus("id") == "call-title"
    tab_to(browser, "class", "row request")
    browser.press(Keys.ARROW_DOWN, Keys.END, Keys.HOME, Keys.ENTER)
    assert browser.focus("id") == "message-title"
    assert f"Call-ID: {first}" in browser.text("#message-text")
    browser.press(Keys.ESCAPE)
    assert browser.focus("class") == "row request"
    browser.press(Keys.ESCAPE)
    assert browser.focus("data-call") == first
    # What comes meanwhile takes the focus from nobody.
    third = send(server, "dave")
    browser.until(lambda: browser.attribute("#call-list button", "data-call") == third, "the new call stands first")
    assert browser.focus("data-call") == first
    assert browser.complaints() == []


def tab_to(browser: Browser, attribute: str, value: str) -> None:
    """Presses Tab until what has the focus has that attribute."""
    for _ in range(30):
        if browser.focus(attribute) == value:
            return
        browser.press(Keys.TAB)
    pytest.fail(f"Tab does not lead to {attribute} {value}")


def test_a_call_is_followed_while_it_goes_on(served: tuple[Server, Web], browser: Browser) -> None:
    server, web = served
    call_id = send(server, "bob")
    # A link leads to the call.
    opened(browser, web, call_id, size=PHONE, at=f"/#call={call_id}")
    browser.until(lambda: len(rows(browser)) == 4, "the ladder is drawn")
    browser.click("#ladder .row")
    send(server, "bob", call_id=call_id)
    browser.until(lambda: len(rows(browser)) == 8, "the ladder goes on")
    assert "8 of 8" in rows(browser)[7]
    assert len(browser.all("#ladder .row.chosen")) == 1
    browser.until(lambda: "4 messages" in browser.text("#call-about"), "what is said of it follows")
    # There is no room for the list beside it on a phone.
    assert not browser.all("#call-list")[0].is_displayed()
    browser.click("#message-close")
    browser.click("#call-close")
    browser.until(lambda: "4 messages" in browser.text("#call-list"), "the list is back")


@sizes
def test_certificates_of_tls_connections(start: Start, browser: Browser, size: tuple[int, int], tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path, "Example CA"), Authority(tmp_path / "other", "Stranger CA")
    own = authority.issue("sip.example.org", ["sip.example.org"])
    web = Web.chosen()
    verify = {"tls.verify_client": "optional_no_ca", "tls.ca_list": authority.file}
    served = {"tls.certificate": own.chain, "tls.private_key": own.key}
    server = start(None, "udp", "tls", settings={**web.settings, **verify, **served})
    edge = authority.issue("edge", ["edge.example.org", "192.0.2.7"], days=5)
    who = stranger.issue("<b>who</b>", None, file="who")
    address = server.address("tls")
    with (
        tls.connect(address, context(authority.file, edge), "sip.example.org") as first,
        tls.connect(address, context(authority.file, who)) as second,
        tls.connect(address, context()) as third,
    ):
        for peer in (first, second, third):
            tls.ask(peer, address)
        opened(browser, web, size=size)
        browser.until(lambda: len(browser.all("#shown-certificates article")) == 3, "three certificates are shown")
        cards = [card.text for card in browser.all("#shown-certificates article")]
        by_name = {card.splitlines()[0]: card for card in cards}
        assert set(by_name) == {"edge peer's", "<b>who</b> peer's", "sip.example.org ours"}
        said = by_name["edge peer's"]
        digits = f"{edge.serial:X}"
        fingerprint = edge.x509.fingerprint(SHA256()).hex(":").upper()
        for text in ("/CN=edge", "/CN=Example CA", "DNS:edge.example.org", "192.0.2.7", digits, fingerprint):
            assert text in said
        assert "verified" in said
        assert "expires soon, 5 days left" in said or "expires soon, 4 days left" in said
        assert "not verified" in by_name["<b>who</b> peer's"]
        assert "leads to no authority" in by_name["<b>who</b> peer's"]
        table = browser.text("#tls-connections")
        assert all(text in table for text in ("edge: verified", "it showed none", "sip.example.org", "sw-tls-"))
        width = browser.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], "nothing is wider than the window"
        assert "PRIVATE KEY" not in browser.driver.page_source
        assert browser.complaints() == []


# What is wider than the place it has, and words that are broken where another column could give way.
CUT_OFF = """
const wide = [...document.querySelectorAll("html, body *")].filter((one) =>
  one.clientWidth && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline");
const found = wide.map((one) => `${one.tagName}#${one.id} is ${one.scrollWidth} in ${one.clientWidth}`);
const range = document.createRange();
for (const cell of document.querySelectorAll("main th, main td, main dt, nav a, #about, .who")) {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    for (const word of texts.currentNode.data.matchAll(/\\w+/g)) {
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      if (word[0].length < 20 && new Set([...range.getClientRects()].map((box) => box.top)).size > 1) found.push(`${word[0]} is broken`);
    }
  }
}
return found
"""
USER = "reception.desk.third-floor"
COMPANY = """
import KSR


class Handler:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        if KSR.is_REGISTER():
            KSR.registrar.save("location", 0)
        elif KSR.pv.get("$rU") == "raise":
            raise ValueError("no route in carriers_by_prefix_and_time_of_day")
        else:
            KSR.tm.t_on_failure("ksr_failure_route_with_a_long_name")
            KSR.tm.t_relay()
        return 1

    def ksr_failure_route_with_a_long_name(self, msg):
        return 1


def mod_init():
    return Handler()
"""


async def traffic(server: Server) -> str:
    """A registration, a call that is refused, and one whose route fails; the Call-ID of the first call."""
    async with UdpPeer.open() as phone, UdpPeer.open() as caller:
        contact, agent = (
            f"sip:{USER}@127.0.0.1:{phone.address[1]};transport=udp;ob",
            ("User-Agent", "Phone 1.2 (Linux)"),
        )
        sent = request(
            "REGISTER", "sip:127.0.0.1", phone.address, to_uri=f"sip:{USER}@127.0.0.1", contact=contact, extra=(agent,)
        )
        assert (await phone.ask(sent, server.address("udp"))).status == 200
        uri = f"sip:{USER}@127.0.0.1:{phone.address[1]}"
        invite = request("INVITE", uri, caller.address, from_uri="sip:+4989123456789@carrier.example.net")
        caller.send(invite, server.address("udp"))
        received, source = await phone.receive()
        phone.send(received.reply(486, "Busy Here", "callee"), source)
        assert (await caller.final(invite["Call-ID"])).status == 486
        failed = request("INVITE", "sip:raise@127.0.0.1", caller.address)
        assert (await caller.ask(failed, server.address("udp"))).status == 500
        return invite["Call-ID"]


def test_nothing_is_cut_off_at_any_width(start: Start, browser: Browser, tmp_path: Path) -> None:
    """With long names, before there is traffic and after; with a call and a message opened."""
    script = tmp_path / "proxy_of_the_example_company.py"
    script.write_text(COMPANY)
    web = Web.chosen()
    server = start(script, "udp", "tls", settings={**web.settings, "record.enabled": "true"})
    widths = (360, 620, 820, 1010, 1400)

    def look(width: int) -> None:
        browser.look(f"http://127.0.0.1:{web.port}/", width, 900, dark=width == 1010)
        browser.until(lambda: browser.text("#live") == "live", "the page is live")
        browser.until(lambda: "No thread of the engine" in browser.text("#threads-about"), "all of it is shown")

    def cut_off() -> list[str]:
        found = browser.driver.execute_script(CUT_OFF)
        assert isinstance(found, list)
        return found

    for width in (widths[0], widths[-1]):
        look(width)
        for place, says in (
            ("#requests", "Requests\nNo request yet."),
            ("#routes", "Routes\nNo route has run yet."),
            ("#tls-connections", "TLS connections\nNo TLS connection."),
            ("#registration-list", "Contacts\nNobody is registered."),
        ):
            assert browser.text(place) == says
        assert cut_off() == [], width
    call_id = asyncio.run(traffic(server))
    with tls.connect(server.address("tls"), context()):
        for width in widths:
            look(width)
            browser.until(lambda: USER in browser.text("#registration-list"), "the contact is listed")
            browser.until(lambda: "TLSv1.3" in browser.text("#tls-connections"), "the connection is listed")
            browser.until(lambda: "ksr_failure_route" in browser.text("#routes"), "both routes are listed")
            assert "came from" not in browser.text("#registration-list table tbody"), "a card has no empty lines"
            assert cut_off() == [], width
            browser.click(f'#call-list button[data-call="{call_id}"]')
            browser.until(lambda: len(rows(browser)) > 6, "the ladder is drawn")
            assert cut_off() == [], width
            browser.click("#ladder .row")
            browser.until(lambda: call_id in browser.text("#message-text"), "the message is shown")
            assert cut_off() == [], width
            # Where there is no room for the list, there is none for what stands above it.
            assert browser.all("#record")[0].is_displayed() == (width >= 1000)
    assert browser.complaints() == []


def test_registrations_tls_and_the_recording(start: Start, browser: Browser) -> None:
    web = Web.chosen()
    server = start(None, "udp", "tls", settings=web.settings)
    opened(browser, web)
    assert "records no calls now" in browser.text("#calls-note")
    assert browser.text("#record") == "Start recording"
    browser.click("#record")
    browser.until(lambda: browser.text("#record") == "Stop recording", "it records")

    async def story() -> None:
        async with UdpPeer.open() as bob, StreamPeer.open(server.address("tls"), context()) as peer:
            contact, agent = f"sip:bob:hunter2@127.0.0.1:{bob.address[1]}", ("User-Agent", "<b>phone</b>")
            sent = request("REGISTER", "sip:127.0.0.1", bob.address, to_uri=AOR, contact=contact, extra=(agent,))
            assert (await bob.ask(sent, server.address("udp"))).status == 200
            await asyncio.to_thread(look, f"127.0.0.1:{peer.address[1]}", bob.address[1])

    def look(peer: str, port: int) -> None:
        browser.until(lambda: "REGISTER" in browser.text("#call-list"), "the registration is recorded")
        browser.until(lambda: peer in browser.text("#tls-connections"), "the TLS connection is listed")
        assert "TLSv1.3" in browser.text("#tls-connections")
        assert "localhost" in browser.text("#certificates h4")
        assert "days left" in browser.text("#certificates")
        assert "mode 2" in browser.text("#tls-about")
        assert "No thread of the engine" in browser.text("#threads-about")
        contact = f"sip:bob:xxxxxxx@127.0.0.1:{port}"
        browser.until(lambda: contact in browser.text("#registration-list"), "the contact is listed")
        assert "<b>phone</b>" in browser.text("#registration-list")
        assert "hunter2" not in browser.driver.page_source
        assert "key.pem" not in browser.driver.page_source

    asyncio.run(story())
    assert call(data_of(server), "record.status")["enabled"] is True
    assert browser.complaints() == []


def test_a_token_guards_it(start: Start, browser: Browser, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN}\n")
    tokens.chmod(0o600)
    web = Web.chosen()
    start("answer.py", settings={**web.settings, "http.token_file": tokens})
    assert [web.get(path).status for path in ("/", "/page/app.js", "/page/live")] == [401] * 3
    assert web.get("/", Authorization=f"Bearer {TOKEN}").status == 200
    # A browser is led to the form.
    browser.look(f"http://127.0.0.1:{web.port}/", *PHONE)
    browser.until(lambda: browser.text("label").startswith("Token"), "the form is shown")
    browser.all("#token")[0].send_keys("wrong", Keys.ENTER)
    browser.until(lambda: "not a token" in browser.text(".problem"), "a wrong one is refused")
    browser.all("#token")[0].send_keys(TOKEN, Keys.ENTER)
    browser.until(lambda: browser.text("#live") == "live", "the page is live")
    assert TOKEN not in browser.driver.page_source


def test_files_and_headers(served: tuple[Server, Web]) -> None:
    _, web = served
    page = web.get("/")
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert b"<script>" not in page.body
    assert b"style=" not in page.body
    for name in ("app.js", "calls.js", "ladder.js", "parts.js", "sections.js", "style.css", "icon.svg"):
        answer = web.get(f"/page/{name}")
        assert (answer.status, answer.headers["content-security-policy"]) == (200, policy)
        # Nothing comes from elsewhere.
        assert b"://" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"")
    assert web.get("/page/../pages.py").status == 404
    assert web.get("/", Host="evil.test").status == 421
    assert web.get("/page/live", Origin="http://evil.test").status == 403


def test_the_stream(start: Start) -> None:
    """What a browser is told; the server ends while it looks."""
    web = Web.chosen()
    server = start("answer.py", settings={**web.settings, "record.enabled": "true"})
    send(server, "bob", HOSTILE)
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    try:
        connection.request("GET", "/page/live")
        response = connection.getresponse()
        assert response.getheader("content-type", "").startswith("text/event-stream")

        def event() -> tuple[str, object]:
            while not (line := response.readline()).startswith(b"event: "):
                assert line, "the stream has ended"
            return line[7:-1].decode(), json.loads(response.readline().removeprefix(b"data: "))

        assert event() == ("history", [])
        name, state = event()
        assert name == "state"
        assert isinstance(state, dict)
        assert state["calls"][0]["status"] == 200
        assert state["info"]["tls_threads_mode"] == 2
        assert SECRET not in json.dumps(state)
        name, changed = event()
        assert name == "state"
        assert isinstance(changed, dict)
        assert "uptime_s" in changed["info"]
        assert "calls" not in changed, "only what has changed is sent again"
        server.assert_clean_stop(within_s=5)
        while response.readline():
            pass
    finally:
        connection.close()
    assert "error" not in server.log().lower()
