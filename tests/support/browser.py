"""A headless Chromium for tests of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from support.tools import tool

WAIT_S = 20
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
Found = TypeVar("Found")


class Browser:
    """A window; what is looked for may take `WAIT_S` to come."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        driver.set_page_load_timeout(WAIT_S)

    def look(self, url: str, width: int = 1280, height: int = 900, *, dark: bool = False) -> None:
        """Opens a page in a window of this size, in light or dark; nothing moves by itself."""
        # What the page before had to say is not of this one.
        self.driver.get("about:blank")
        self.complaints()
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(url)

    def all(self, selector: str) -> list[WebElement]:
        """The elements that match now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """What is to be read in the first that matches; empty without one."""
        found = self.all(selector)
        return found[0].text if found else ""

    def attribute(self, selector: str, name: str) -> str:
        """An attribute of the first that matches, empty without."""
        found = self.all(selector)
        return (found[0].get_attribute(name) or "") if found else ""

    def until(self, holds: Callable[[], Found], what: str) -> Found:
        """Waits until `holds` gives something true, which is returned; elements that go away meanwhile do not matter."""

        def tried(_: object) -> Found:
            return holds()

        wait = WebDriverWait(self.driver, WAIT_S, 0.1, ignored_exceptions=(WebDriverException,))
        return wait.until(tried, f"it is not so within {WAIT_S} s: {what}")

    def click(self, selector: str) -> None:
        """Clicks on the first that matches, once it is there."""

        def clicked() -> bool:
            found = self.all(selector)
            if found:
                self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
                found[0].click()
            return bool(found)

        self.until(clicked, f"{selector} takes a click")

    def press(self, *keys: str) -> None:
        """Presses keys, each where the focus is then."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focus(self, attribute: str) -> str:
        """An attribute of what has the focus."""
        return self.driver.switch_to.active_element.get_attribute(attribute) or ""

    def complaints(self) -> list[str]:
        """What the console had to say since the last time, for instance of the content security policy."""
        entries = self.driver.execute("getLog", {"type": "browser"})["value"]
        return [entry["message"] for entry in entries]


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A window of a browser that is started with these further arguments."""
    options = ChromeOptions()
    options.binary_location = tool("chromium")
    for argument in (*_ARGUMENTS, *arguments):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(tool("chromedriver")))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
