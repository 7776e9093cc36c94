"""What GET shows: a page about this node, its health, its metrics, and its methods."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache
from string import Template
from typing import Final, NamedTuple

from node.api.api import Api
from node.api.json_text import write_json
from node.api.methods.tables import api_document
from node.services.page_files import SAFE_LINES, document
from protocol.constants import CORE_ASSET
from protocol.json_form import JsonValue, format_time

READY_SLOTS = 2
"""A node is ready while its head is younger than so many slots."""
JSON = "application/json"
TEXT = "text/plain"
METRICS_TYPE = "text/plain; version=0.0.4"
HTML = "text/html"


class Page(NamedTuple):
    """A response to GET."""

    status: int
    kind: str
    body: bytes
    lines: tuple[str, ...] = ()


class Pages:
    """The pages of one node; each is made when it is asked for."""

    def __init__(self, api: Api, scrape: Callable[[], str]) -> None:
        """`scrape` gives the figures for Prometheus."""
        self.api = api
        self.scrape = scrape

    def make(self, target: str, host: str) -> Generator[None, None, Page]:
        """The page of a path of `PAGES`, for who addresses this node by a name; in steps."""
        page = PAGES[target](self, host)
        return page if isinstance(page, Page) else (yield from page)

    def home(self, host: str) -> Page:
        """The dashboard; without a script, what this node is and how to talk to it."""
        return self.document("home.html", host)

    def lesson(self, host: str) -> Page:
        """Lessons, which the node plays by `pegboard.play_lesson`."""
        return self.document("lesson.html", host)

    def document(self, name: str, host: str) -> Page:
        """A document of `node/page` with what it says of this node; it loads only what stands in
        `page_files` beside it."""
        from html import escape  # for the first who looks

        backend = self.api.backend
        head, info = backend.state.dynamic, backend.info()
        facts = {
            "host": host,
            "version": info.version,
            "chain_id": backend.chain_id.hex(),
            "symbol": backend.state.assets.get(CORE_ASSET).symbol,
            "head_num": head.head_block_number,
            "head_time": f"{format_time(head.time)} UTC",
            "irreversible_num": head.last_irreversible_block_num,
            "health": "ready" if self.is_ready() else "the head is old",
        }
        text = template(name).substitute({key: escape(str(fact)) for key, fact in facts.items()})
        return Page(200, HTML, text.encode(), SAFE_LINES)

    def live(self, host: str) -> Page:
        """Whether this process serves at all."""
        return Page(200, TEXT, b"ok")

    def ready(self, host: str) -> Page:
        """Whether its head is young."""
        return Page(200, TEXT, b"ok") if self.is_ready() else Page(503, TEXT, b"the head is old")

    def metrics(self, host: str) -> Page:
        """Figures for Prometheus."""
        return Page(200, METRICS_TYPE, self.scrape().encode())

    def version(self, host: str) -> Page:
        """Which program this is, on which chain."""
        backend = self.api.backend
        version: JsonValue = {
            "version": backend.info().version,
            "chain_id": backend.chain_id.hex(),
        }
        return Page(200, JSON, write_json(version))

    def methods(self, host: str) -> Generator[None, None, Page]:
        """What `rpc.discover` answers."""
        text = yield from api_document(self.api.backend.info().version)
        return Page(200, JSON, text)

    def is_ready(self) -> bool:
        """Whether the head is younger than `READY_SLOTS`."""
        backend = self.api.backend
        interval = backend.state.parameters.block_interval
        return backend.now_s() - backend.state.dynamic.time <= READY_SLOTS * interval


PAGES: Final[dict[str, Callable[[Pages, str], Page | Generator[None, None, Page]]]] = {
    "/": Pages.home,
    "/lesson": Pages.lesson,
    "/health": Pages.ready,
    "/health/live": Pages.live,
    "/health/ready": Pages.ready,
    "/metrics": Pages.metrics,
    "/openrpc.json": Pages.methods,
    "/version": Pages.version,
}
"""Every path that GET serves."""


@cache
def template(name: str) -> Template:
    """A document, in which `$fact` stands for what is told of the node."""
    return Template(document(name))
