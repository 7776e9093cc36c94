"""The rules that code, errors and tests cite by id, read from the pages beside the code."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from protocol.errors import PegboardError

ROOT = Path(__file__).parents[1]
"""Where `node` and `protocol` are."""
PAGES = (
    ("protocol", "RULES.md"),
    ("node.state", "RULES.md"),
    ("node.market", "RULES.md"),
    ("node.market", "TAKE_PROFIT.md"),
    ("node.evaluators", "RULES.md"),
    ("node.evaluators", "HTLC.md"),
    ("node.evaluators", "TICKETS.md"),
    ("node.evaluators", "POOLS.md"),
    ("node.evaluators", "COMMON.md"),
    ("node.evaluators", "CREDIT.md"),
    ("node.evaluators", "FUNDS.md"),
    ("node.evaluators", "CUSTOM_AUTHORITIES.md"),
    ("node.evaluators", "SPECIAL_ACCOUNTS.md"),
    ("node.chain", "RULES.md"),
    ("node.chain", "FINALITY.md"),
    ("node.p2p", "THREATS.md"),
    ("node.api", "RULES.md"),
    ("node.api", "THREATS.md"),
    ("node.core", "THREATS.md"),
    ("node.storage", "THREATS.md"),
    ("node.witness", "THREATS.md"),
    ("node.services", "THREATS.md"),
)
"""Package and file of every page; a rule has its paragraph on one of them."""

RULE_ID = (
    r"(?:R[0-9]+\.[0-9]+(?:\.[0-9]+|[a-z])?|[CGHK][0-9]+\.[0-9]+|Y[0-9](?:\.[0-9])?|B[0-9]+a?|[IFS][0-9]+"
    r"|(?:BS|SM|BK)[0-9]+a?|[JLOTU][1-9][0-9]?|T-[A-Z][0-9]+|BSIP[0-9]+)"
)
"""How an id looks: section and number of a rule (C custom authorities, G what operations share,
H hash time locks, K tickets, Y special accounts and what clients find), a consequence of the
boundary, an invariant, a rule of finality, a threat, a scenario of networks (S), an improvement
proposal of BitShares; L are liquidity pools, O is credit, T take-profit orders, U SameT funds, J
the invariants of these; BS are black swan responses, SM settlement matching, BK the boundary of the
second market chapter."""

_HEADING = re.compile(rf"^##+ ({RULE_ID}) (.+)$", re.MULTILINE)
_ANY_HEADING = re.compile(r"^#", re.MULTILINE)
_PLACES = re.compile(r"^In code: (.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
_SHOWN = re.compile(r"^Shown by: (.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
_SENTENCE_END = re.compile(r"[.?](?=\s|\Z)")
_NUMBER = re.compile(r"([0-9]+)")


class UnknownRule(PegboardError):
    """No page has a paragraph of this id."""

    name = "unknown_rule"


class Rule(NamedTuple):
    """A paragraph of a page."""

    id: str
    title: str
    sentence: str
    """What it asks for, in one sentence that stands alone."""
    text: str
    """The whole paragraph without its heading, in Markdown; begins with the sentence."""
    places: tuple[str, ...]
    """Modules, classes and functions that carry it out, by their dotted names."""
    shown: tuple[str, ...]
    """Tests and commands of the source tree that show it; threats and scenarios have them."""
    page: str
    """The page, as a path in the source tree."""


def rule(rule_id: str) -> Rule:
    """The rule of an id; raises `UnknownRule` with the ids that come near."""
    wanted = rule_id.upper()
    for known, item in rules().items():
        if known.upper() == wanted:
            return item
    from difflib import get_close_matches  # for who mistypes an id

    near = get_close_matches(wanted, rules(), n=5)
    raise UnknownRule("no rule has this id", value=rule_id, limit=", ".join(near) or None)


def section(head: str) -> list[Rule]:
    """The rules of a section such as R4 or T-P; none for a rule itself, or no section."""
    if head.upper() in map(str.upper, rules()):
        return []
    inside = re.compile(rf"{re.escape(head)}(?:(?<=[0-9])\.|(?<=[A-Z])(?=[0-9]))", re.IGNORECASE)
    return [item for item in rules().values() if inside.match(item.id)]


def sentence_of(rule_id: str) -> str | None:
    """What the rule that an error cites asks for; None where no page tells."""
    found = rules().get(rule_id)
    return None if found is None else found.sentence


@cache
def rules() -> dict[str, Rule]:
    """All rules by id: in the order of their ids, numbers as numbers."""
    found = (item for package, name in PAGES for item in read_page(package, name))
    return {item.id: item for item in sorted(found, key=lambda item: _order(item.id))}


def read_page(package: str, name: str) -> list[Rule]:
    """The rules of one page, in its order."""
    page = f"{package.replace('.', '/')}/{name}"
    return rules_in(ROOT.joinpath(page).read_text(encoding="utf-8"), page)


def rules_in(text: str, page: str) -> list[Rule]:
    """The rules in the text of a page."""
    found = []
    for heading in _HEADING.finditer(text):
        end = _ANY_HEADING.search(text, heading.end())
        body = text[heading.end() : end.start() if end else None].strip()
        found.append(
            Rule(
                id=heading[1],
                title=heading[2],
                sentence=_first_sentence(body),
                text=body,
                places=_quoted(_PLACES, body),
                shown=_quoted(_SHOWN, body),
                page=page,
            )
        )
    return found


def _quoted(paragraph: re.Pattern[str], body: str) -> tuple[str, ...]:
    """What stands in backquotes in a paragraph."""
    found = paragraph.search(body)
    return (
        tuple(" ".join(one.split()) for one in re.findall(r"`([^`]+)`", found[1])) if found else ()
    )


def _first_sentence(body: str) -> str:
    paragraph = " ".join(body.partition("\n\n")[0].split())
    end = _SENTENCE_END.search(paragraph)
    return paragraph[: end.end()] if end else paragraph


def _order(rule_id: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in _NUMBER.split(rule_id) if part
    ]
