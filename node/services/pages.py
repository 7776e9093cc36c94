"""What GET shows: a page about this node, its health, its metrics, and its methods."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Generator
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry

from node.api.api import Api
from node.api.json_text import write_json
from node.api.methods.tables import api_document
from node.services.metrics import metrics_text
from protocol.constants import CORE_ASSET
from protocol.json_form import JsonValue, format_time

READY_SLOTS = 2
"""A node is ready while its head is younger than so many slots."""
JSON = "application/json"
TEXT = "text/plain"
METRICS_TYPE = "text/plain; version=0.0.4"
HOME = "home.html"


class Page(NamedTuple):
    """A response to GET."""

    status: int
    kind: str
    body: bytes
    lines: tuple[str, ...] = ()


class Pages:
    """The pages of one node; each is made when it is asked for."""

    def __init__(self, api: Api, registry: CollectorRegistry) -> None:
        self.api = api
        self.registry = registry

    def make(self, target: str, host: str) -> Generator[None, None, Page]:
        """The page of a path of `PAGES`, for who addresses this node by a name; in steps."""
        page = PAGES[target](self, host)
        return page if isinstance(page, Page) else (yield from page)

    def home(self, host: str) -> Page:
        """What this node is, and how to talk to it; nothing in it is loaded or executed."""
        backend = self.api.backend
        state = backend.state
        head = state.dynamic
        facts = {
            "host": host,
            "version": backend.info().version,
            "chain_id": backend.chain_id.hex(),
            "symbol": state.assets.get(CORE_ASSET).symbol,
            "head_num": head.head_block_number,
            "head_time": f"{format_time(head.time)} UTC",
            "irreversible_num": head.last_irreversible_block_num,
            "health": "ready" if self.is_ready() else "the head is old",
        }
        template, policy = home_template()
        text = template.substitute({name: escape(str(fact)) for name, fact in facts.items()})
        return Page(200, "text/html", text.encode(), (f"content-security-policy: {policy}",))

    def live(self, host: str) -> Page:
        """Whether this process serves at all."""
        return Page(200, TEXT, b"ok")

    def ready(self, host: str) -> Page:
        """Whether its head is young."""
        return Page(200, TEXT, b"ok") if self.is_ready() else Page(503, TEXT, b"the head is old")

    def metrics(self, host: str) -> Page:
        """Figures for Prometheus."""
        return Page(200, METRICS_TYPE, metrics_text(self.registry).encode())

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
    "/health": Pages.ready,
    "/health/live": Pages.live,
    "/health/ready": Pages.ready,
    "/metrics": Pages.metrics,
    "/openrpc.json": Pages.methods,
    "/version": Pages.version,
}
"""Every path that GET serves."""


@cache
def home_template() -> tuple[Template, str]:
    """The page about this node, and the policy that allows its own style and nothing else."""
    text = files("node.services").joinpath(HOME).read_text(encoding="utf-8")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"
    return Template(text), f"{policy}; form-action 'none'; frame-ancestors 'none'"
