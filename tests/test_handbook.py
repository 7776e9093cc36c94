"""The site of `scripts/docs` has every command, method and rule, and no link leads nowhere.

Without its generator: the pages that it is given, and what is done to the pages that it makes.
"""

from __future__ import annotations

import posixpath
import re
from importlib import import_module
from pathlib import Path

import pytest

from node.api.methods.tables import APIS
from node.cli.commands import PLACES
from node.cli.show import VIEWS
from node.exit_codes import Exit
from node.rules import rules

FINISH = import_module("scripts.handbook.finish")
GENERATED = import_module("scripts.handbook.generated")
SOURCES = import_module("scripts.handbook.sources")
LINK = re.compile(r"\]\(([^)\s]+\.md)(?:#[^)]*)?\)")
TOCTREE = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    found: dict[str, str] = import_module("scripts.handbook.pages").all_pages(lambda *_: [])
    return found


def test_every_command_and_method_has_its_place(pages: dict[str, str]) -> None:
    """A command or method that is added is in the site without a further word."""
    for name in PLACES:
        assert pages[f"commands/{name}"].startswith(f"# pegboard {name}\n"), name
    for name in VIEWS:
        assert f"\n## pegboard show {name}\n" in pages["commands/show"], name
    for api, table in APIS.items():
        for name in table:
            assert f"\n## {api}.{name}\n" in pages[f"api/{api}"], name
    for code in Exit:
        assert f"| {code.value} | {code.meaning} |" in pages["commands/exit-codes"]


def test_every_document_and_rule_has_its_place(pages: dict[str, str]) -> None:
    """Each rule has one anchor, on the page where links to it lead."""
    assert SOURCES.rule_places().keys() == rules().keys()
    for rule_id, place in SOURCES.rule_places().items():
        page, _, anchor = place.partition(".html#")
        assert pages[page].count(f"({anchor})=\n") == 1, rule_id
        assert sum(text.count(f"({anchor})=\n") for text in pages.values()) == 1, rule_id
        assert rule_id in pages["rules/index"]
    assert set(SOURCES.DOCUMENTS.values()) <= pages.keys()


def test_every_link_leads_to_a_page(pages: dict[str, str]) -> None:
    """Links between documents lead to their pages, and the menu to every one of them."""
    for name, text in pages.items():
        for link in LINK.findall(text):
            wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
            assert wanted.removesuffix(".md") in pages, (name, link)
    assert "(api/conformance.md)" in pages["index"]
    listed = {
        posixpath.normpath(posixpath.join(posixpath.dirname(name), line))
        for name, text in pages.items()
        for tree in TOCTREE.findall(text)
        for line in tree.splitlines()
        if line and not line.startswith(":")
    }
    assert listed == pages.keys() - {"index"}


def test_rules_are_linked_where_they_are_named() -> None:
    """In text and code; not in a link, a heading or a longer word, nor if there is none."""
    places = {"R4.2": "rules/market.html#rule-r4-2"}
    text = '<p>R4.2, R4.22, xR4.2; <code>R4.2</code> &lt; <a href="#">R4.2</a></p><h2>R4.2</h2>'
    linked = FINISH.link_rules(text, places, "../")
    link = '<a href="../rules/market.html#rule-r4-2">R4.2</a>'
    assert linked == text.replace("<p>R4.2", f"<p>{link}").replace("<code>R4.2", f"<code>{link}")
    assert FINISH.link_rules(linked, places, "../") == linked


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    """To a page, to an anchor, and to anything that a page would load from outside."""
    (tmp_path / "sub").mkdir()
    good = '<p id="here"></p><a href="sub/b.html#there">b</a><a href="https://pypi.org">out</a>'
    (tmp_path / "a.html").write_text(good)
    (tmp_path / "sub/b.html").write_text('<p id="there"></p><a href="../a.html#here">a</a>')
    assert list(FINISH.broken_links(tmp_path)) == []
    for broken in (
        '<a href="c.html">',
        '<a href="sub/b.html#nowhere">',
        '<a href="#nowhere">',
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/x.css">',
        '<img src="none.png">',
    ):
        (tmp_path / "a.html").write_text(good + broken)
        assert len(list(FINISH.broken_links(tmp_path))) == 1, broken


def test_an_example_is_played() -> None:
    """A call on a real chain, and what it was answered."""
    lines = "\n".join(GENERATED.played_examples()("pegboard", "get_positions"))
    assert '"params": ["pegboard", "get_positions", ["USD"' in lines
    assert '"borrower_name": "alice"' in lines
