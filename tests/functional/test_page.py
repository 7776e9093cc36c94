"""The pages in a browser, on a node of their own: the dashboard's numbers are the API's, the lesson
is played, and both are for everybody.

The chain is one of `openshares`, so that its words cannot come from the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Route, WebSocketRoute, expect

from node.cli import run
from node.cli.client import NodeClient
from node.lab.measures import MEASURES
from pegboard.processes import Served, served
from protocol.wording import count_of, format_decimal, format_units_ratio
from tests.support.browser import DESK, Scheme, Visit, chromium
from tests.support.lab import WALK
from tests.support.prediction_market import make_prediction_market
from tests.support.told import CORE, Json, Told

pytestmark = pytest.mark.functional

SCHEMES: tuple[Scheme, ...] = ("light", "dark")
CONTRAST_MIN = 4.5
"""WCAG 2.2, 1.4.3, level AA, for text of any size."""
PHONE, PROJECTOR, WIDE_PROJECTOR = (360, 780), (1024, 768), (1920, 1080)
"""Width and height in pixels."""
LONG_AGO = "1970-01-01T00:00:00"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A development chain with bids, asks, positions near and far, trades and a margin call."""
    directory: Path = tmp_path_factory.mktemp("page")
    options = ("node", "--dev", "--mode", "instant", "--preset", "openshares")
    with served(*options, directory=directory) as made:
        market = made.market
        market.feed("USD", price="0.2")
        for name, ratio, debt in (("alice", "1.85", 1500), ("bob", "2.6", 1200), ("carol", 5, 900)):
            market.account(name).borrow(f"{debt} USD", ratio=ratio)
        carol, bob = market.account("carol"), market.account("bob")
        for price, amount in (("0.185", 140), ("0.15", 500), ("0.12", 60), ("0.1", 80)):
            carol.sell(f"{amount} USD", at=price)
        carol.buy("50 USD", at="0.21")
        bob.sell("30 USD", at="0.21")
        market.feed("USD", price="0.195")
        bob.borrow("100 EUR", ratio=2)
        market.feed("EUR", fall="0.6")
        assert market.is_settled("EUR")
        market.bitasset("PETS")
        make_prediction_market(market, "carol", "VOTE", 5_000_000)
        yield made


@pytest.fixture(scope="module")
def told(node: Served) -> Told:
    return Told(NodeClient(node.url))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def opened(browser: Browser, node: Served) -> Iterator[Visit]:
    """The one page of all tests, at first with the market that its address names."""
    visit = Visit(browser, node.url)
    visit.open("/#openUSD")
    yield visit
    visit.close()


@pytest.fixture
def page(opened: Visit, told: Told) -> Iterator[Visit]:
    """It shows the head and openUSD; it may complain of nothing, and ask nobody but its node."""
    opened.page.locator("#assets label", has_text="openUSD").click()
    expect(opened.page.locator("#market-title")).to_have_text("openUSD")
    opened.wait_for_head(told.head()["head_block_id"])
    yield opened
    opened.check()


def signed(hundredths: int) -> str:
    return f"{format_decimal(hundredths, 2)} %"


def test_each_number_of_the_chain_is_the_api_s(page: Visit, told: Told) -> None:
    """FEATURES: head, irreversibility, slots, and each producer's blocks and misses."""
    head = told.head()
    facts = page.facts("chain-facts")
    assert facts["Head"][0] == str(head["head_block_number"])
    assert facts["Irreversible"][0] == str(head["last_irreversible_block_num"])
    behind = head["head_block_number"] - head["last_irreversible_block_num"]
    assert facts["Irreversible"][1] == f"{count_of(behind, 'block')} behind"
    assert facts["Slot"][0] == str(head["current_aslot"])
    assert facts["Last delegate"][1] == head["current_witness"]
    filled = int(head["recent_slots_filled"]).bit_count()
    assert page.text("#slots-text").startswith(f"{filled} of the last 128 slots")
    assert page.page.locator("#slots i:not(.missed)").count() == filled
    ids = told.call("database", "get_global_properties")["active_witnesses"]
    found = told.call("database", "get_witnesses", ids)
    names = told.call("database", "get_accounts", [one["witness_account"] for one in found])
    assert page.rows("producers-table") == [
        [account["name"], str(one["last_confirmed_block_num"]), str(one["total_missed"])]
        for account, one in zip(names, found, strict=True)
    ]
    assert "delegates" in page.text("#producers-summary")


def test_each_number_of_a_market_is_the_api_s(page: Visit, told: Told) -> None:
    """R4.2: prices, ladder in the order of prices, depth, in the words of the chain."""
    market = told.market()
    facts = page.facts("market-facts")
    assert facts["Settlement price"][0] == told.price(market["feed"]["settlement_price"])
    assert facts["Squeeze protection price (SQP)"][0] == told.price(
        market["squeeze_protection_price"]
    )
    bid = market["highest_bid"]
    assert facts["Highest bid"] == [
        told.price(bid["sell_price"]),
        f"for {told.amount({'amount': bid['for_sale'], 'asset_id': told.usd})}",
    ]
    supply = {"amount": market["current_supply"], "asset_id": told.usd}
    assert facts["Supply"] == [told.amount(supply), count_of(market["position_count"], "position")]
    assert market["next_call"]["text"][1:] in page.text("#next-call")
    orders = told.call("database", "get_limit_orders", told.usd, CORE, 300)
    levels: list[tuple[Fraction, list[str]]] = [
        level(told, market["feed"]["settlement_price"], "", "Settlement price"),
        level(told, market["squeeze_protection_price"], "", "Squeeze protection price (SQP)"),
    ]
    for one in orders:
        kept = {"amount": one["for_sale"], "asset_id": one["sell_price"]["base"]["asset_id"]}
        is_bid = kept["asset_id"] == told.usd
        price = one["sell_price"] if is_bid else inverse(one["sell_price"])
        levels.append(
            level(told, price, told.amount(kept), f"{'Bid' if is_bid else 'Ask'} {one['id']}")
        )
    levels += [
        level(told, one["call_price"], "", f"Call price of {one['borrower_name']}")
        for one in told.call("pegboard", "get_positions", told.usd, 300)
    ]
    levels.sort(key=lambda pair: -pair[0])
    assert len(levels) == 2 + len(orders) + 3
    assert page.rows("ladder-table") == [row for _, row in levels]
    assert [row[0] for row in page.rows("depth-table")] == ["Asks"] + ["Bids"] * (len(orders) - 1)
    assert len(orders) > 2
    bids = sum(int(one["for_sale"]) for one in orders[:-1])
    assert page.rows("depth-table")[-1][2] == told.number({"amount": bids, "asset_id": told.usd})
    for chart in ("#depth-chart", "#history-chart"):
        expect(page.page.locator(f"{chart} canvas")).to_be_visible()
        assert "openUSD" in str(page.page.locator(chart).get_attribute("aria-label"))


def test_a_settled_market_tells_of_its_fund(page: Visit, told: Told) -> None:
    """R6.4: what is in it and at which price it pays; there is nobody to be called."""
    page.page.locator("#assets label", has_text="openEUR").click()
    expect(page.page.locator("#market-note")).to_contain_text("settled globally")
    market = told.call("pegboard", "get_asset_market", "EUR")
    fund = {"amount": market["settlement_fund"], "asset_id": CORE}
    assert page.facts("market-facts")["Settlement fund"] == [
        told.amount(fund),
        f"at {told.price(market['global_settlement_price'])}",
    ]
    text = page.text("#next-call")
    assert text == f"{market['next_call']['text']}. ({market['next_call']['rule']})"
    assert told.price(market["global_settlement_price"]) in text
    expect(page.page.locator("#positions-none")).to_be_visible()


def test_a_market_without_a_feed_shows_no_price(page: Visit, told: Told) -> None:
    """R1.16: nothing is drawn where there is none, and the slider has nothing to move."""
    page.page.locator("#assets label", has_text="openPETS").click()
    expect(page.page.locator("#market-title")).to_have_text("openPETS")
    expect(page.page.locator("#shock")).to_be_disabled()
    facts = page.facts("market-facts")
    assert facts["Settlement price"] == ["no feed", "median of 0 feeds"]
    assert facts["Squeeze protection price (SQP)"][0] == "–"
    assert page.rows("ladder-table") == []
    assert page.text("#shock-text") == "Without a feed there is no price to move."


def test_nobody_is_called_in_a_prediction_market(page: Visit) -> None:
    """R7.2: a position has no call price, in numbers nor on the line."""
    page.page.locator("#assets label", has_text="openVOTE").click()
    expect(page.page.locator("#market-note")).to_contain_text("nobody is called")
    assert page.rows("positions-table") == [
        ["carol", "Why", "no feed", "", "–", "–", "50.00000", "50.00000"]
    ]
    expect(page.page.locator("#positions-table .track i")).to_have_count(0)


def level(told: Told, price: Json, amount: str, text: str) -> tuple[Fraction, list[str]]:
    exact = Fraction(int(price["base"]["amount"]), int(price["quote"]["amount"]))
    return exact, [told.price(price), amount, text]


def inverse(price: Json) -> Json:
    return {"base": price["quote"], "quote": price["base"]}


def test_each_number_of_positions_and_history_is_the_api_s(page: Visit, told: Told) -> None:
    """R4.2: positions nearest first, feeds, trades, and calls with their explanation."""
    positions = told.call("pegboard", "get_positions", told.usd, 300)
    heads = page.page.locator("#positions-table th[scope=col]").all_text_contents()
    assert heads[:4] == ["Borrower", "Explain", "Feed has to move", "Prices on one line"]
    assert heads[4:] == ["Call price", "Ratio", "Debt, openUSD", "Collateral, OPS"]
    assert page.rows("positions-table") == [
        [
            one["borrower_name"],
            "Why",
            "within reach"
            if one["feed_change_to_reach"] >= 0
            else signed(one["feed_change_to_reach"]),
            "",
            told.price(one["call_price"]),
            format_decimal(one["collateral_ratio"], 3),
            told.number({"amount": one["debt"], "asset_id": told.usd}),
            told.number({"amount": one["collateral"], "asset_id": CORE}),
        ]
        for one in positions
    ]
    assert [one["borrower_name"] for one in positions] == ["alice", "bob", "carol"]
    feeds = told.call("pegboard", "get_feed_history", told.usd, 0, 100)
    assert [row[1:] for row in page.rows("feeds-table")] == [
        [
            str(one["block_num"]),
            told.price(one["settlement_price"]),
            format_decimal(one["maintenance_collateral_ratio"], 3),
            format_decimal(one["maximum_short_squeeze_ratio"], 3),
        ]
        for one in feeds
    ]
    trades = told.call(
        "database", "get_trade_history_by_sequence", told.usd, CORE, 0, LONG_AGO, 100
    )
    assert len(trades) > 1
    for row, trade in zip(page.rows("trades-table"), trades, strict=True):
        shown = [Fraction(text.replace(",", "")) for text in row[1:]]
        assert shown[1:] == [Fraction(trade["amount"]), Fraction(trade["value"])]
        assert 0 <= Fraction(trade["price"]) - shown[0] < Fraction(1, 10**8)
    calls = told.call("pegboard", "get_margin_call_history", told.usd, 0, 20)
    items = page.page.locator("#calls-list li")
    assert {call["account_name"] for call in calls} == {"alice"}
    assert items.count() == len(calls)
    for item, call in zip(items.all(), calls, strict=True):
        title, text, figures = item.locator("h3, p").all_inner_texts()
        assert title.startswith(f"alice, block {call['block_num']}, ")
        assert text == call["explanation"]
        debts = [told.amount(call[name]) for name in ("debt_before", "debt_after")]
        assert figures.startswith(
            f"Debt {' to '.join(debts)}, call price {told.price(call['call_price'])}, "
        )


def test_amounts_are_written_exactly(page: Visit) -> None:
    """The page's own decimals and prices are those of `protocol.wording`, whatever their size."""
    rng = Random(7)
    amounts: list[Json] = [
        [str(rng.randrange(10 ** rng.randint(1, 18))), rng.randint(0, 8)] for _ in range(99)
    ]
    amounts += [["-1234567", 2], ["0", 4], [str(2**63 - 1), 5]]
    prices = [[rng.randrange(1, 10**15), rng.randrange(1, 10**15)] for _ in range(99)]
    found = page.page.evaluate(
        """async ([amounts, prices]) => {
          const {Words, decimal, toUnits} = await import("/page/units.js");
          const words = new Words({}, new Map([["a", {precision: 4}], ["b", {precision: 5}]]));
          const price = ([one, other]) => words.price(
            {base: {amount: String(one), asset_id: "a"}, quote: {amount: other, asset_id: "b"}});
          return [amounts.map(([units, places]) => decimal(units, places)), prices.map(price),
            ["1,234.5", "0.00001", "7", "1.000001", "-1", "x", "1."].map(text => toUnits(text, 5))];
        }""",
        [amounts, prices],
    )
    assert found[0] == [format_decimal(int(units), int(places)) for units, places in amounts]
    assert found[1] == [format_units_ratio(base, quote, (4, 5)) for base, quote in prices]
    assert found[2] == ["123450000", "1", "700000", None, None, None, None]


def test_the_slider_asks_the_node(page: Visit, told: Told) -> None:
    """T-A2: what the node answers is shown; dragging asks seldom, and once at a time."""
    slider = page.page.locator("#shock")
    slider.focus()
    expect(page.page.locator("#shock-text")).to_contain_text("Move the slider")
    page.frames.clear()
    for _ in range(40):
        slider.press("ArrowLeft")
    expect(page.page.locator("#shock-by")).to_have_text("-40 %")
    expect(page.page.locator("#shock-text")).to_contain_text("At -40.00 %")
    [found] = told.call("pegboard", "shock", told.usd, [{"feed_change": -4000}], 50)["shocks"]
    facts = page.facts("shock-facts")
    assert facts["Called"] == [
        count_of(found["called"], "position"),
        count_of(found["call_count"], "fill"),
    ]
    assert found["called"] > 0
    assert facts["They buy"][0] == told.amount(found["debt_covered"])
    assert facts["They pay"][0] == told.amount(found["collateral_paid"])
    assert facts["Worst redemption"][0] == told.amount(
        found["after"]["worst_redemption"]["for_one"]
    )
    assert page.rows("shock-table") == [
        [
            one["account_name"],
            told.price(one["call_price"]),
            told.amount(one["debt_covered"]),
            told.amount(one["collateral_paid"]),
            "closed" if one["is_closed"] else f"{told.amount(one['debt_after'])} left",
        ]
        for one in found["calls"]
    ]
    assert told.price(found["after"]["settlement_price"]) in page.text("#shock-price")
    check_turns(page.frames)
    slider.fill("0")
    expect(page.page.locator("#shock-text")).to_contain_text("Move the slider")
    expect(page.page.locator("#shock-calls")).to_be_hidden()


def check_turns(frames: list[tuple[bool, str]]) -> None:
    """Few shocks were asked for, and each only when the one before was answered."""
    waiting: set[int] = set()
    asked = 0
    for is_sent, text in frames:
        message = json.loads(text)
        if is_sent and message["params"][1] == "shock":
            assert not waiting
            waiting.add(message["id"])
            asked += 1
        elif not is_sent:
            waiting.discard(message.get("id", -1))
    assert 0 < asked <= 20


def test_time_and_money_are_at_the_reader_s_command(page: Visit, node: Served, told: Told) -> None:
    """R9.10: mine, travel, rewind and faucet; each tells what it did, or why not."""
    heads = page.page.locator("#chain-facts dd span").first
    message = page.page.locator("#development-told")
    before = told.head()["head_block_number"]
    page.page.fill("#mine [name=count]", "3")
    page.page.click("#mine button")
    expect(heads).to_have_text(str(before + 3))
    time = node.market.time
    page.page.click("#travel button")
    expect(heads).to_have_text(str(before + 4))
    assert node.market.time >= time + 3_600
    page.page.fill("#rewind [name=num]", str(before + 3))
    page.page.click("#rewind button")
    expect(message).to_contain_text("1 block taken back")
    expect(heads).to_have_text(str(before + 3))
    expect(page.page.locator("#told")).to_contain_text("went back")
    page.page.fill("#rewind [name=num]", "4000000")
    page.page.click("#rewind button")
    expect(message).to_have_class("notice bad")
    expect(message).to_contain_text("4000000")
    page.page.fill("#faucet [name=amount]", "12.34567")
    page.page.click("#faucet button")
    expect(message).to_contain_text("gets 12.34567 OPS from nathan")
    page.wait_for_head(told.head()["head_block_id"])
    assert str(node.market.find("zoe").balance("OPS")) == "12.34567"


def test_a_rewind_takes_back_what_the_page_knew(page: Visit, node: Served, told: Told) -> None:
    """R9.10: a BitAsset that is made comes by itself; taken back, it is gone, and another one is
    shown."""
    before = told.head()["head_block_number"]
    node.market.bitasset("LATE")
    page.page.locator("#assets label", has_text="openLATE").click()
    expect(page.page.locator("#market-title")).to_have_text("openLATE")
    told.call("pegboard_dev", "rewind", before)
    expect(page.page.locator("#told")).to_have_text(f"The chain went back to block {before}.")
    expect(page.page.locator("#assets label", has_text="openLATE")).to_have_count(0)
    expect(page.page.locator("#market-title")).to_have_text("openUSD")
    expect(page.page.locator("#link")).to_have_text("live")


def test_nobody_is_asked_while_nobody_looks(page: Visit, node: Served, told: Told) -> None:
    """A hidden tab hears of a block and leaves it at that; shown again, it draws the newest."""
    hide = """isHidden => {
      Object.defineProperty(document, "hidden", {value: isHidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.page.evaluate(hide, True)
    page.frames.clear()
    told.call("pegboard_dev", "mine", 2)
    while len(page.frames) < 2:
        page.page.wait_for_timeout(10)
    page.page.evaluate("0")
    assert [text for is_sent, text in page.frames if is_sent] == []
    page.page.evaluate(hide, False)
    page.wait_for_head(told.head()["head_block_id"])


def test_whoever_has_only_keys_reaches_everything(page: Visit, told: Told) -> None:
    """WCAG 2.1.1, 2.4.3, 4.1.2: in the order of the page, each with a name; a dialog and back."""
    names: list[str] = []
    page.page.locator(".skip").focus()
    for _ in range(60):
        name = page.page.evaluate(
            """() => { const one = document.activeElement;
              return one === document.body ? "" : one.getAttribute("aria-label")
                || [...(one.labels ?? [])].map(x => x.textContent.trim()).join(" ")
                || document.getElementById(one.getAttribute("aria-labelledby"))?.textContent
                || one.textContent.trim() || "nameless " + one.outerHTML; }"""
        )
        if not name:
            break
        names.append(name)
        page.page.keyboard.press("Tab")
    assert not [name for name in names if name.startswith("nameless")]
    walk = ["Skip to the content", "Chain", "openUSD", "All published prices change by"]
    walk += ["Why is alice not called?", "Mine", "Travel", "Rewind", "Give", "methods (OpenRPC)"]
    places = [names.index(name) for name in walk]
    assert places == sorted(places), names
    why = page.page.get_by_role("button", name="Why is alice not called?")
    why.focus()
    why.press("Enter")
    expect(page.page.locator("#why-title")).to_have_text("alice, openUSD")
    found = told.call("pegboard", "explain_position", "alice", "USD")
    sentences = page.page.locator("#why-list > li > p:first-child")
    assert sentences.all_inner_texts() == [f"{one['text']}." for one in found["statements"]]
    rules = page.page.locator("#why-list code").all_inner_texts()
    assert rules == [one["rule"] for one in found["statements"]]
    page.page.keyboard.press("Escape")
    expect(why).to_be_focused()
    chosen = page.page.get_by_role("radio", name="openUSD")
    chosen.focus()
    chosen.press("ArrowRight")
    expect(page.page.locator("#market-title")).to_have_text("openEUR")
    expect(page.page.locator("#positions-none")).to_be_visible()
    for landmark in ("banner", "navigation", "main"):
        expect(page.page.get_by_role(landmark)).to_have_count(1)


def test_everything_is_readable(page: Visit) -> None:
    """WCAG 1.4.3, 1.4.10: contrast in both schemes; 360 pixels and projectors need no scrolling
    sideways. T-A7: nothing is kept of who looks."""
    for summary in page.page.locator("summary").all():
        summary.click()
    page.page.locator("#positions-table button").first.click()
    for scheme in SCHEMES:
        page.page.emulate_media(color_scheme=scheme)
        worst, *others = page.contrasts()
        assert len(others) > 100
        assert worst[0] >= CONTRAST_MIN, (scheme, [worst, *others][:5])
    page.page.keyboard.press("Escape")
    for width, height in (PHONE, PROJECTOR, WIDE_PROJECTOR, DESK):
        page.page.set_viewport_size({"width": width, "height": height})
        assert page.page.evaluate("document.documentElement.scrollWidth") == width
    assert page.context.cookies() == []


def test_the_page_lives_on(page: Visit, node: Served, told: Told) -> None:
    """A new block is drawn by itself, a call is said aloud, a connection that was lost comes back.
    Where the node lets nobody go through time the page says so; in a network it only gives money.
    """
    lost: list[WebSocketRoute] = []
    asked: set[int] = set()

    def join(route: WebSocketRoute) -> None:
        """Between the two, so that it can be cut: at first the node is asked for an API that it
        does not have, then it seems to be one of three processes."""
        server = route.connect_to_server()
        lost.append(route)
        if len(lost) == 1:
            route.on_message(
                lambda text: server.send(str(text).replace("pegboard_dev", "pegboard_no"))
            )
            return

        def ask(text: str | bytes) -> None:
            if "get_members" in str(text):
                asked.add(json.loads(text)["id"])
            server.send(text)

        def answer(text: str | bytes) -> None:
            told = json.loads(text)
            if told.get("id") in asked:
                told["result"] = ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"]
            route.send(json.dumps(told))

        route.on_message(ask)
        server.on_message(answer)

    page.page.route_web_socket("**/ws", join)
    page.page.reload()
    page.page.wait_for_selector("body[data-asset]")
    badge = page.page.locator("#link")
    price = page.page.locator("#market-facts dd span").first
    aloud = page.page.locator("#told")
    expect(badge).to_have_text("live")
    node.market.feed("USD", price="0.19")
    expect(price).to_have_text("0.19000000")
    expect(page.page.locator("#development-refused")).to_contain_text("This node refuses")
    expect(page.page.locator("#development-tools")).to_be_hidden()
    expect(aloud).to_be_empty()
    lost[0].close()
    expect(badge).to_have_text("connection lost, trying again")
    expect(badge).to_have_text("live")
    assert len(lost) == 2
    node.market.feed("USD", price="0.17")
    expect(price).to_have_text("0.17000000")
    newest = told.call("pegboard", "get_margin_call_history", told.usd, 0, 1)[0]
    expect(aloud).to_have_text(
        f"Margin call in openUSD: {newest['account_name']}, block {newest['block_num']}."
    )
    expect(page.page.locator("#development-refused")).to_contain_text("All 3 processes")
    for form, is_there in (("mine", False), ("travel", False), ("rewind", False), ("faucet", True)):
        expect(page.page.locator(f"#{form}")).to_be_visible(visible=is_there)
    page.page.click("#faucet button")
    expect(page.page.locator("#development-told")).to_contain_text("gets 1,000.00000 OPS")
    page.wait_for_head(told.head()["head_block_id"])


def test_the_lab_s_page_draws_its_plots(browser: Browser, tmp_path: Path) -> None:
    """Each measure of each BitAsset, from the file alone, in both schemes and on a phone."""
    scenario, out = tmp_path / "it.toml", tmp_path / "out"
    scenario.write_text(WALK)
    asked = ["--vary", "MCR=1.6,1.75", "--paths", "2", "--workers", "1", "--out", str(out)]
    assert run(["lab", str(scenario), *asked]) == 0
    visit = Visit(browser, (out / "report.html").as_uri(), size=PHONE)
    page = visit.page
    page.goto(visit.url)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(".plot .main-svg:first-child")).to_have_count(len(MEASURES))
        ticks = [one.text_content() for one in page.locator(".plot").first.locator(".xtick").all()]
        assert {"1.6", "1.75"} <= set(ticks)
    assert page.locator(".plot .trace").count() >= len(MEASURES)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    visit.check()
    visit.close()


def guess(lesson: Visit, text: str) -> None:
    """Type a guess and press Enter."""
    lesson.page.fill("#number", text)
    lesson.page.keyboard.press("Enter")


def to_the_end(route: Route) -> None:
    """Ask for the answers of all questions at once, rather than of one."""
    body = route.request.post_data_json
    assert body is not None
    body["params"][2][2] = [""] * 18
    route.continue_(post_data=json.dumps(body))


def test_a_learner_plays_by_keyboard(browser: Browser, node: Served) -> None:
    """A Chinese browser with a narrow window: right, no number, wrong with its calculation; another
    language; the letter of the text. The words are those of this chain."""
    lesson = Visit(browser, node.url, size=(360, 740), locale="zh-CN")
    page = lesson.page
    page.goto(f"{node.url}/lesson")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("#question")).to_have_text("之后一共有多少 openUSD？")
    guess(lesson, "600")
    first = page.locator("#judged li").nth(0)
    expect(first).to_contain_text("答对了：600 openUSD。")
    expect(page.locator("#number")).to_be_focused()
    guess(lesson, "x")
    expect(page.locator("#unreadable")).to_be_visible()
    guess(lesson, "？")
    expect(page.locator("#hint")).to_be_visible()
    guess(lesson, "0.52")
    second = page.locator("#judged li").nth(1)
    expect(second).to_contain_text("0.48 < 0.5 < 0.58")
    expect(second).to_contain_text("(0.52)")
    expect(second).to_contain_text("R1.16")
    assert page.evaluate("document.documentElement.scrollWidth") == 360

    page.get_by_text("English").click()
    expect(first).to_contain_text("Right: 600 openUSD.")
    expect(page.locator("#score")).to_have_text("1 right answer, 2 questions asked.")
    page.get_by_text("The letter of the text").click()
    expect(page.locator("#judged li")).to_have_count(0)
    expect(page.locator("#asked-title")).to_contain_text("1/18")
    page.route("**/rpc", to_the_end)
    page.locator("#skip").click()
    expect(page.locator("#asked")).to_be_hidden()
    expect(page.locator("#judged")).to_contain_text("would have been 324.99999 OPS")
    assert "strict=1" in page.url
    page.unroute("**/rpc")
    page.locator("#again").click()
    expect(page.locator("#asked-title")).to_contain_text("1/18")
    page.locator("header a").last.click()
    expect(page.locator("a[href='/lesson']")).to_be_visible()
    page.wait_for_selector("body[data-asset]")
    lesson.check()
    lesson.close()


def test_a_rewind_far_back_brings_the_page_back(browser: Browser, node: Served) -> None:
    """R9.10: the node starts again from its stores, and the page waits for it. The last test: the
    market is gone."""
    visit = Visit(browser, node.url)
    visit.open("/#openUSD")
    visit.page.fill("#rewind [name=num]", "3")
    visit.page.click("#rewind button")
    expect(visit.page.locator("#development-told")).to_contain_text("starts again from its stores")
    expect(visit.page.locator("#chain-facts dd span").first).to_have_text("3")
    expect(visit.page.locator("#link")).to_have_text("live")
    expect(visit.page.locator("#positions-none")).to_be_visible()
    visit.close()
