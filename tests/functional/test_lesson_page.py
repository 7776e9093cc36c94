"""The page of lessons in a real browser, on a real node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from pegboard.processes import Served

pytestmark = pytest.mark.functional

expect.set_options(timeout=30_000)
CHROMIUM = shutil.which("chromium")


@pytest.fixture
def page(dev_node: Served) -> Iterator[Page]:
    """The lesson as a Chinese browser with a narrow window opens it; whatever it complains of is
    an error."""
    if CHROMIUM is None:
        pytest.skip("Debian's chromium is not installed: scripts/browser")
    complaints: list[str] = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(locale="zh-CN", viewport={"width": 360, "height": 740})
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.goto(f"{dev_node.url}/lesson")
        yield opened
        browser.close()
    assert complaints == []


def guess(page: Page, text: str) -> None:
    """Type a guess and press Enter."""
    page.fill("#number", text)
    page.keyboard.press("Enter")


def to_the_end(route: Route) -> None:
    """Ask for the answers of all questions at once, rather than of one."""
    body = route.request.post_data_json
    assert body is not None
    body["params"][2][2] = [""] * 18
    route.continue_(post_data=json.dumps(body))


def test_a_learner_plays_by_keyboard(page: Page) -> None:
    """Right, no number, wrong with its calculation; another language; the letter of the text."""
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("#question")).to_have_text("之后一共有多少 bitUSD？")
    guess(page, "600")
    first = page.locator("#judged li").nth(0)
    expect(first).to_contain_text("答对了：600 bitUSD。")
    expect(page.locator("#number")).to_be_focused()
    guess(page, "x")
    expect(page.locator("#unreadable")).to_be_visible()
    guess(page, "？")
    expect(page.locator("#hint")).to_be_visible()
    guess(page, "0.52")
    second = page.locator("#judged li").nth(1)
    expect(second).to_contain_text("0.48 < 0.5 < 0.58")
    expect(second).to_contain_text("R1.16")
    assert page.locator("html").evaluate("element => element.scrollWidth") <= 360

    page.get_by_text("English").click()
    expect(first).to_contain_text("Right: 600 bitUSD.")
    expect(page.locator("#score")).to_have_text("1 right answer, 2 questions asked.")
    page.get_by_text("The letter of the text").click()
    expect(page.locator("#judged li")).to_have_count(0)
    expect(page.locator("#asked-title")).to_contain_text("1/18")
    page.route("**/rpc", to_the_end)
    page.locator("#skip").click()
    expect(page.locator("#asked")).to_be_hidden()
    expect(page.locator("#judged")).to_contain_text("would have been 324.99999 TEST")
    assert "strict=1" in page.url
    page.unroute("**/rpc")
    page.locator("#again").click()
    expect(page.locator("#asked-title")).to_contain_text("1/18")
    page.locator("header a").last.click()
    expect(page.locator("a[href='/lesson']")).to_be_visible()
