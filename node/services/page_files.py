"""Files that the pages of this node are made of: a table in memory, read once at the start.

Only what stands in the table is served, so no request comes to name a path on the disk. Charts are
drawn by uPlot, whose script the package `youplot` ships; it is read, not imported, and taken only
if it is byte by byte the one that uPlot's makers published.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from node.services.event_log import log
from protocol.schema import Record

PREFIX = "/page/"
FOLDER = Path(__file__).parents[1] / "page"
KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""What is served, and as what; documents are made for each request, see `node.services.pages`."""
CHART_PACKAGE = "youplot"
CHART_FILES: Final = {
    "uplot.js": (
        "vendor/uplot.iife.min.js",
        "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2",
    ),
    "uplot.css": (
        "vendor/uplot.min.css",
        "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    ),
}
"""Files of uPlot 1.6.31: where the package has them, and SHA256 of those that were published."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""What a browser lets the pages do (CSP): talk to this node, and nothing that text could become."""
SAFE_LINES: Final = (
    f"content-security-policy: {POLICY}",
    "cross-origin-opener-policy: same-origin",
    "cross-origin-resource-policy: same-origin",
    "referrer-policy: no-referrer",
)


class PageFile(Record):
    """A file as it is served."""

    kind: str
    body: bytes


@cache
def page_files() -> dict[str, PageFile]:
    """Path -> file. Without uPlot the pages do without charts, and their tables say the same."""
    found = {
        f"{PREFIX}{item.name}": PageFile(KINDS[suffix], item.read_bytes())
        for item in FOLDER.iterdir()
        if (suffix := item.suffix) in KINDS
    }
    for name, (path, digest) in CHART_FILES.items():
        body = _chart_file(path)
        if sha256(body).hexdigest() == digest:
            found[f"{PREFIX}{name}"] = PageFile(KINDS[Path(name).suffix], body)
    return found


def tell_missing() -> None:
    """Say which charts cannot be drawn; the table is made before anybody has set up the log."""
    for name, (path, _) in CHART_FILES.items():
        if f"{PREFIX}{name}" not in page_files():
            log.warning("no_charts", file=path, bytes=len(_chart_file(path)))


def document(name: str) -> str:
    """The text of a document, with `$fact` where a fact of the node belongs."""
    return (FOLDER / name).read_text(encoding="utf-8")


def _chart_file(path: str) -> bytes:
    """What the installed package has at a path; b"" if it has nothing there."""
    found = find_spec(CHART_PACKAGE)
    if found is None or found.origin is None:
        return b""
    try:
        return (Path(found.origin).parent / path).read_bytes()
    except OSError:
        return b""
