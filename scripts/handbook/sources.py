"""The documents of this repository as pages of the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from node.rules import PAGES, RULE_ID, read_page, rules

REPO = Path(__file__).resolve().parents[2]


def _source(package: str, name: str) -> str:
    return f"{package.replace('.', '/')}/{name}"


DOCUMENTS = {
    "README.md": "index",
    "CHANGELOG.md": "changelog",
    ".github/CONTRIBUTING.md": "contributing",
    ".github/SECURITY.md": "security",
    "node/api/CONFORMANCE.md": "api/conformance",
    "config/README.md": "config/presets",
    "config/prices/README.md": "config/prices",
    "config/scenarios/README.md": "config/scenarios",
    **{
        _source(package, name): f"rules/{package.rpartition('.')[2]}-{name[:-3].lower()}"
        for package, name in PAGES
    },
    **{
        f".github/decisions/{path.name}": f"decisions/{path.stem}"
        for path in sorted((REPO / ".github" / "decisions").glob("*.md"))
    },
}
"""Source, as a path in the repository, and name of its page."""

_RULE_HEADING = re.compile(rf"^(##+) ({RULE_ID}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_CODE_PATH = re.compile(r"(?<![`\[])`([\w./-]+\.md)`(?![`\]])")
_FENCE = re.compile(r"^( {4}|```)")


def anchor_of(rule_id: str) -> str:
    """Where a rule stands on its page."""
    return "rule-" + re.sub("[^a-z0-9]+", "-", rule_id.lower())


def rule_places() -> dict[str, str]:
    """Address of each rule from the root of the site: "rules/market-rules.html#rule-r4-2"."""
    return {
        item.id: f"{DOCUMENTS[item.page]}.html#{anchor_of(item.id)}" for item in rules().values()
    }


def document_page(source: str) -> str:
    """A document in MyST Markdown: links lead to pages, and each rule has an anchor."""
    text = (REPO / source).read_text(encoding="utf-8")
    anchored = _RULE_HEADING.sub(lambda found: f"({anchor_of(found[2])})=\n{found[0]}", text)
    return "\n".join(
        line if _FENCE.match(line) else _linked(source, line) for line in anchored.split("\n")
    )


def _linked(source: str, line: str) -> str:
    """A line whose links to documents lead to their pages; other files are named, not linked."""

    def link(found: re.Match[str]) -> str:
        label, place = found[1], found[2]
        if "://" in place or place.startswith("#"):
            return found[0]
        path, _, anchor = place.partition("#")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if wanted not in DOCUMENTS:
            return label
        return f"[{label}]({_address(source, wanted)}{'#' if anchor else ''}{anchor})"

    def code(found: re.Match[str]) -> str:
        near = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[1]))
        wanted = found[1] if found[1] in DOCUMENTS else near
        if wanted not in DOCUMENTS or wanted == source:
            return found[0]
        return f"[`{found[1]}`]({_address(source, wanted)})"

    return _CODE_PATH.sub(code, _LINK.sub(link, line))


def _address(source: str, wanted: str) -> str:
    """The page of a document, seen from that of another."""
    here = posixpath.dirname(DOCUMENTS[source])
    return posixpath.relpath(f"{DOCUMENTS[wanted]}.md", here or ".")


def rule_index() -> str:
    """All rules by id, each with the sentence that stands for it."""
    lines = ["# All rules", ""]
    for package, name in PAGES:
        lines += [f"## {_title_of(_source(package, name))}", ""]
        lines += [f"* {item.id} {item.title}: {item.sentence}" for item in read_page(package, name)]
        lines.append("")
    return "\n".join(lines)


def _title_of(source: str) -> str:
    """The first heading of a document."""
    return (REPO / source).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
