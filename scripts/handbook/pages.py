"""All pages of the site, by name, and how they hang together."""

from __future__ import annotations

from pathlib import Path

from node.version import VERSION

from .generated import Example, api_pages, command_pages, played_examples, toctree
from .sources import DOCUMENTS, document_page, rule_index

CONFIGURATION = f'''"""Written by scripts/docs: the settings of Sphinx."""

project = "pegboard"
release = "{VERSION}"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "pegboard {VERSION}"
html_copy_source = False
html_show_sourcelink = False
html_use_opensearch = ""
highlight_language = "text"
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]
nitpicky = True
'''


def all_pages(example: Example) -> dict[str, str]:
    """Name and MyST Markdown of each page; `example` shows a call of a method."""
    pages = {name: document_page(source) for source, name in DOCUMENTS.items()}
    pages |= command_pages() | api_pages(example)
    pages["rules/index"] = "\n".join(
        [rule_index(), *toctree(_named("rules/"), "rules", caption="Pages of rules")]
    )
    pages["decisions/index"] = "\n".join(
        ["# Decisions", "", *toctree(_named("decisions/"), "decisions")]
    )
    how = ["rules/index", "decisions/index", "contributing", "security", "changelog"]
    for caption, names in {
        "Using it": ["commands/index", *_named("config/")],
        "Programs": ["api/index"],
        "How it works": how,
    }.items():
        pages["index"] += "\n".join(["", *toctree(names, caption=caption, hidden=True)])
    return pages


def write_pages(directory: Path) -> int:
    """Write all pages and the settings of Sphinx; how many pages there are."""
    pages = all_pages(played_examples())
    for name, text in pages.items():
        path = directory / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (directory / "conf.py").write_text(CONFIGURATION, encoding="utf-8")
    return len(pages)


def _named(prefix: str) -> list[str]:
    return [name for name in DOCUMENTS.values() if name.startswith(prefix)]
