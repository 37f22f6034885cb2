"""The page of a running server in a browser: live, safe from what messages say, without a mouse, on a phone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from conftest import Start
from support.browser import WAIT_S, chromium
from support.http import Web
from support.messages import request
from support.peers import UdpPeer
from support.servers import Server

HOSTILE = '"<img src=x onerror=document.title=1><script>document.title=2</script>" <sip:<b>evil</b>@h>'
SECRET = "0123456789abcdef"
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


@pytest.fixture
def served(start: Start, tmp_path: Path) -> tuple[Server, Web]:
    script = tmp_path / "busy.py"
    script.write_text(SCRIPT)
    web = Web.chosen()
    return start(script, "udp", "tls", counted=False, settings=web.settings), web


def send(server: Server, user: str, from_: str = "<sip:alice@h>", call_id: str | None = None) -> str:
    """An INVITE with credentials that the script refuses; its Call-ID."""

    async def story() -> str:
        async with UdpPeer.open() as alice:
            made = request("INVITE", f"sip:{user}@h", alice.address, call_id=call_id)
            fields = tuple((n, f"{from_};tag=1" if n == "From" else v) for n, v in made.headers)
            proof = ("Authorization", f'Digest username="a", response="{SECRET}"')
            sent = type(made)(made.first_line, (*fields, proof), b"")
            assert ((await alice.ask(sent, server.address("udp"))).status or 0) >= 400
            return sent["Call-ID"]

    return asyncio.run(story())


@pytest.fixture(params=["desktop", "phone"])
def browser(request: pytest.FixtureRequest) -> Iterator[Chrome]:
    size = (1280, 900) if request.param == "desktop" else (360, 740)
    with chromium(*size, dark=request.param == "phone", still=request.param == "phone") as driver:
        yield driver


def until(driver: Chrome, holds: Callable[[Chrome], Any]) -> Any:
    return WebDriverWait(driver, WAIT_S, ignored_exceptions=(Exception,)).until(holds)


def text(driver: Chrome, selector: str) -> str:
    found: str = driver.find_element(By.CSS_SELECTOR, selector).text
    return found


def press(driver: Chrome, *keys: str) -> None:
    for key in keys:
        driver.switch_to.active_element.send_keys(key)


def opened(driver: Chrome, web: Web) -> None:
    driver.get(f"http://127.0.0.1:{web.port}/")
    until(driver, lambda d: text(d, "#live") == "live")


def shot(driver: Chrome, tmp_path: Path, name: str) -> None:
    """A picture for whoever looks at the test's directory."""
    size = driver.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
    area = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
    import base64

    taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": area, "captureBeyondViewport": True})
    (tmp_path / f"{name}-{size[0]}.png").write_bytes(base64.b64decode(taken["data"]))


def complaints(driver: Chrome) -> list[str]:
    """What the browser's console has to say, for instance of the content security policy."""
    untyped: Any = driver
    return [entry["message"] for entry in untyped.get_log("browser")]


def test_calls_are_shown_and_messages_open(served: tuple[Server, Web], browser: Chrome, tmp_path: Path) -> None:
    server, web = served
    call_id = send(server, "bob")
    send(server, "raise")
    opened(browser, web)
    until(browser, lambda d: len(d.find_elements(By.CSS_SELECTOR, "#call-list button")) == 2)
    browser.find_element(By.CSS_SELECTOR, f'#call-list button[data-call="{call_id}"]').click()
    until(browser, lambda d: "INVITE" in text(d, "#ladder"))
    rows = browser.find_elements(By.CSS_SELECTOR, "#ladder .row")
    labels = [row.get_attribute("aria-label") or "" for row in rows]
    assert labels[0].startswith("INVITE, udp:127.0.0.1:")
    assert any(label.startswith("KSR.sl.send_reply") for label in labels)
    assert labels[-1].startswith("486 Busy <b>Here</b>, server to udp:127.0.0.1:") or "486" in " ".join(labels)
    rows[0].click()
    until(browser, lambda d: f"Call-ID: {call_id}" in text(d, "#message-text"))
    assert f'response="{"x" * 16}"' in text(browser, "#message-text")
    assert SECRET not in browser.page_source
    shot(browser, tmp_path, "call")

    notable = text(browser, "#notable")
    assert "ValueError: <i>no</i> route" in notable
    browser.find_element(By.CSS_SELECTOR, "#notable summary").click()
    assert "Traceback" in text(browser, "#notable pre")
    width = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "nothing is wider than the window"
    shot(browser, tmp_path, "all")
    assert complaints(browser) == []


def test_nothing_of_a_message_becomes_markup(served: tuple[Server, Web], browser: Chrome) -> None:
    server, web = served
    call_id = send(server, "bob", HOSTILE, call_id='x"><svg onload=document.title=3>')
    opened(browser, web)
    until(browser, lambda d: d.find_elements(By.CSS_SELECTOR, "#call-list button"))
    browser.find_element(By.CSS_SELECTOR, "#call-list button").click()
    until(browser, lambda d: "INVITE" in text(d, "#ladder"))
    browser.find_element(By.CSS_SELECTOR, "#ladder .row").click()
    until(browser, lambda d: HOSTILE in text(d, "#message-text"))
    assert call_id in text(browser, "#call-about")
    assert browser.title == "Sipwright"
    for selector in ("img", "main b", "main i", "main script", "svg[onload]"):
        assert browser.find_elements(By.CSS_SELECTOR, selector) == []
    assert complaints(browser) == []


def test_without_a_mouse(served: tuple[Server, Web], browser: Chrome) -> None:
    server, web = served
    first, second = send(server, "bob"), send(server, "carol")
    opened(browser, web)
    until(browser, lambda d: len(d.find_elements(By.CSS_SELECTOR, "#call-list button")) == 2)
    press(browser, Keys.TAB)
    assert text(browser, ":focus") == "Skip to the calls"
    for _ in range(20):
        if browser.switch_to.active_element.get_attribute("data-call"):
            break
        press(browser, Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("data-call") == second
    press(browser, Keys.ARROW_DOWN)
    assert browser.switch_to.active_element.get_attribute("data-call") == first
    press(browser, Keys.ENTER)
    until(browser, lambda d: "INVITE" in text(d, "#ladder"))
    assert browser.switch_to.active_element.get_attribute("id") == "call-title"
    for _ in range(5):
        if "row" in (browser.switch_to.active_element.get_attribute("class") or ""):
            break
        press(browser, Keys.TAB)
    press(browser, Keys.ARROW_DOWN, Keys.END, Keys.HOME, Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "message-title"
    assert f"Call-ID: {first}" in text(browser, "#message-text")
    press(browser, Keys.ESCAPE)
    assert "row" in (browser.switch_to.active_element.get_attribute("class") or "")
    press(browser, Keys.ESCAPE)
    assert browser.switch_to.active_element.get_attribute("data-call") == first
    assert complaints(browser) == []


def test_a_call_is_followed_while_it_goes_on(served: tuple[Server, Web]) -> None:
    server, web = served
    call_id = send(server, "bob")
    with chromium(1280, 900) as driver:
        opened(driver, web)
        until(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#call-list button"))
        driver.find_element(By.CSS_SELECTOR, "#call-list button").click()
        rows = until(driver, lambda d: len(d.find_elements(By.CSS_SELECTOR, "#ladder .row")))
        send(server, "bob", call_id=call_id)
        until(driver, lambda d: len(d.find_elements(By.CSS_SELECTOR, "#ladder .row")) > rows)


def test_the_stream_and_its_headers(served: tuple[Server, Web]) -> None:
    _, web = served
    page = web.get("/")
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    for path in ("/page/app.js", "/page/ladder.js", "/page/parts.js", "/page/style.css", "/page/icon.svg"):
        answer = web.get(path)
        assert (answer.status, answer.headers["content-security-policy"]) == (200, policy)
        assert b"http://" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"")
    assert web.get("/page/call?id=nobody").status == 404
    assert web.get("/page/../pages.py").status == 404
    assert web.get("/", Host="evil.test").status == 421


def test_a_token_guards_it(start: Start, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("a-token-of-this-test\n")
    tokens.chmod(0o600)
    web = Web.chosen()
    start("answer.py", settings={**web.settings, "http.token_file": tokens})
    paths = ("/", "/page/app.js", "/page/live", "/page/call?id=x")
    assert [web.get(path).status for path in paths] == [401] * 4
    assert web.get("/", Authorization="Bearer a-token-of-this-test").status == 200


def test_state_is_plain_json(served: tuple[Server, Web]) -> None:
    """What the stream says, read as a browser reads it."""
    import http.client

    server, web = served
    send(server, "bob", HOSTILE)
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    try:
        connection.request("GET", "/page/live")
        response = connection.getresponse()
        assert response.getheader("content-type", "").startswith("text/event-stream")
        assert response.readline() == b"event: state\n"
        state = json.loads(response.readline().removeprefix(b"data: "))
        assert state["calls"][0]["status"] == 486
        assert state["info"]["tls_threads_mode"] == 2
        assert SECRET not in json.dumps(state)
    finally:
        connection.close()
