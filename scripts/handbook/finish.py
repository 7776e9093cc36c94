"""Finished HTML: rule ids become links to their rules, and no link may lead nowhere."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from node.rules import RULE_ID

_ID = re.compile(rf"(?<![\w.-]){RULE_ID}(?![\w-]|\.[0-9])")
_SILENT = frozenset({"a", "script", "style", "title", "h1", "h2", "h3", "h4", "button", "svg"})
"""In these a rule's id is no link: they are links, or no text for readers."""
_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""What a page loads by itself."""
_FREE_RELATIONS = frozenset({"canonical", "license"})


class _RuleLinks(HTMLParser):
    """Copies a page, with links where its text names rules."""

    def __init__(self, places: dict[str, str], root: str) -> None:
        super().__init__(convert_charrefs=False)
        self.places, self.root = places, root
        self.out: list[str] = []
        self.silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.out.append(self.get_starttag_text() or "")
        if tag in _SILENT:
            self.silent.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.out.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        self.out.append(f"</{tag}>")
        if self.silent and self.silent[-1] == tag:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        self.out.append(data if self.silent else _ID.sub(self._link, data))

    def handle_entityref(self, name: str) -> None:
        self.out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.out.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.out.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.out.append(f"<!{decl}>")

    def _link(self, found: re.Match[str]) -> str:
        place = self.places.get(found[0])
        return found[0] if place is None else f'<a href="{self.root}{place}">{found[0]}</a>'


def link_rules(text: str, places: dict[str, str], root: str) -> str:
    """A page in which each rule that is named leads to it; `root` leads to the top of the site."""
    parser = _RuleLinks(places, root)
    parser.feed(text)
    parser.close()
    return "".join(parser.out)


class _Links(HTMLParser):
    """What a page names: anchors it has, links it shows, files it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in _LOADED and found.get("rel") not in _FREE_RELATIONS:
            self.loaded += [found[_LOADED[tag]]] if _LOADED[tag] in found else []


def link_all_rules(site: Path, places: dict[str, str]) -> None:
    """Give all pages of a site links to the rules that they name."""
    for path in sorted(site.rglob("*.html")):
        depth = len(path.relative_to(site).parts) - 1
        text = path.read_text(encoding="utf-8")
        path.write_text(link_rules(text, places, "../" * depth), encoding="utf-8")


def broken_links(site: Path) -> Iterator[str]:
    """Each link of a site that leads nowhere, and each file that a page loads from outside."""
    pages: dict[str, _Links] = {}
    for path in sorted(site.rglob("*.html")):
        pages[str(path.relative_to(site))] = found = _Links()
        found.feed(path.read_text(encoding="utf-8"))
    for name, page in pages.items():
        for link in page.loaded:
            if urlsplit(link).netloc:
                yield f"{name} loads {link} from outside"
        for link in (*page.links, *page.loaded):
            parts = urlsplit(html.unescape(link))
            if parts.scheme or parts.netloc:
                continue
            wanted = name
            if parts.path:
                wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), parts.path))
            anchor = unquote(parts.fragment)
            if not (site / wanted).is_file():
                yield f"{name} links to {link}, which is not there"
            elif anchor and wanted in pages and anchor not in pages[wanted].anchors:
                yield f"{name} links to {link}, which has no such anchor"
