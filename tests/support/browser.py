"""Debian's Chromium, steered by playwright, and what it saw of a page of the node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 20_000
DESK = (1280, 900)
Scheme = Literal["light", "dark"]

CONTRASTS = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
"""Each visible text of a page with its contrast to what lies behind it (WCAG 2.2, 1.4.3)."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; without it the test skips, and says what would have it installed."""
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium: as root, scripts/browser installs it on Debian")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        # the path of its socket has to be short
        environment: dict[str, str | float | bool] = {**os.environ, "TMPDIR": "/tmp"}
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(ARGUMENTS), env=environment
        )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A page that somebody has open, and all that it did."""

    def __init__(
        self, browser: Browser, url: str, size: tuple[int, int] = DESK, locale: str = "en"
    ) -> None:
        self.url = url
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale=locale
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.frames: list[tuple[bool, str]] = []
        """What went over the WebSocket in its order; true for what the page sent."""
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", self._watch)

    def open(self, path: str = "/") -> None:
        """Load the page and wait until a market is drawn."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector("body[data-asset]")

    def close(self) -> None:
        """Leave."""
        self.context.close()

    def check(self) -> None:
        """Nothing may have gone wrong, and nobody but the node may have been asked anything."""
        assert self.complaints == []
        own = (self.url, self.url.replace("http", "ws", 1))
        assert [url for url in self.asked if not url.startswith(own)] == []

    def wait_for_head(self, block_id: str) -> None:
        """Wait until the page shows a block as the head."""
        self.page.wait_for_selector(f'body[data-drawn="{block_id}"]')

    def text(self, selector: str) -> str:
        """The text of one element."""
        return self.page.locator(selector).inner_text().strip()

    def facts(self, identity: str) -> dict[str, list[str]]:
        """What a list of facts shows: name to value and, if there is one, what stands beside it."""
        found: list[list[str]] = self.page.evaluate(
            "id => [...document.querySelectorAll(`#${id} > div`)].map(one =>"
            " [...one.querySelectorAll('dt, span, small:not([hidden])')].map(x => x.textContent))",
            identity,
        )
        return {name: values for name, *values in found}

    def rows(self, identity: str) -> list[list[str]]:
        """The cells of a table's body, seen or not."""
        found: list[list[str]] = self.page.evaluate(
            "id => [...document.getElementById(id).tBodies[0].rows].map(row =>"
            " [...row.cells].map(cell => cell.textContent))",
            identity,
        )
        return found

    def contrasts(self) -> list[Any]:
        """Each visible text with its contrast, the least readable first."""
        found: list[Any] = self.page.evaluate(CONTRASTS)
        return sorted(found)

    def _watch(self, socket: WebSocket) -> None:
        self.asked.append(socket.url)
        socket.on("framesent", lambda text: self.frames.append((True, str(text))))
        socket.on("framereceived", lambda text: self.frames.append((False, str(text))))
