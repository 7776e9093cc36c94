"""The pages of rules, the code that carries them out and the tests that show it agree on ids.

Each id that the code cites has one paragraph, on one page; each paragraph names places in the code
that exist, is cited by the code, and by the docstring of a test.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

from node.rules import PAGES, RULE_ID, Rule, UnknownRule, read_page, rule, rules, rules_in, section
from node.state import errors, lock_errors

TESTS = Path(__file__).resolve().parent
REPO = TESTS.parent
CITED = re.compile(rf"(?<![\w.]){RULE_ID}(?![\w])")
RANGE = re.compile(
    r"([BCFGHIJKLORSTUY]|BS|SM|BK|T-[A-Z])([0-9]+\.)?([0-9]+)(?:-| to )(?:\1)(?:\2)?([0-9]+)\b"
)
ARGUMENT = re.compile(r"\b(?:rule|RULE) ?(?:: str )?= ?\"([^\"]*)\"")
SENTENCE_LENGTH = range(30, 320)


def ids_in(text: str) -> set[str]:
    """Ids in a text; "R2.3-R2.5" and "T-P1 to T-P3" stand for all between them."""
    found = set(CITED.findall(text))
    for head, part, first, last in RANGE.findall(text):
        found.update(f"{head}{part}{n}" for n in range(int(first), int(last) + 1))
    return found


def is_ours(rule_id: str) -> bool:
    """Whether an id is of our pages; a proposal of BitShares may be named as a source alone."""
    return not rule_id.startswith("BSIP")


@cache
def code_paths() -> tuple[Path, ...]:
    """Every module of the product."""
    return tuple(path for top in ("protocol", "node") for path in (REPO / top).rglob("*.py"))


@cache
def code_texts() -> tuple[str, ...]:
    """The source of every module of the product."""
    return tuple(path.read_text() for path in code_paths())


def code_trees() -> Iterable[tuple[Path, ast.Module]]:
    """Every module of the product, parsed."""
    return (
        (path.relative_to(REPO), ast.parse(text))
        for path, text in zip(code_paths(), code_texts(), strict=True)
    )


@cache
def cited_by_code() -> frozenset[str]:
    """Ids in the source of the product."""
    return frozenset(found for text in code_texts() for found in ids_in(text))


def cited_in(source: str) -> set[str]:
    """Ids in the docstrings of a test module: its own, its classes' and its tests'."""
    tree = ast.parse(source)
    documents = [ast.get_docstring(tree) or ""]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test_") or "invariant" in map(_name, node.decorator_list):
                documents.append(ast.get_docstring(node) or "")
        elif isinstance(node, ast.ClassDef):
            documents.append(ast.get_docstring(node) or "")
    return {found for text in documents for found in ids_in(text)}


def _name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.id if isinstance(called, ast.Name) else ""


@cache
def cited_by_tests() -> frozenset[str]:
    """Ids that any test of the repository cites."""
    paths = TESTS.glob("**/test_*.py")
    return frozenset(found for path in paths for found in cited_in(path.read_text()))


def all_paragraphs() -> list[Rule]:
    """The paragraphs of all pages, one after the other."""
    return [item for package, name in PAGES for item in read_page(package, name)]


def homeless(cited: Iterable[str], known: Iterable[str]) -> list[str]:
    """Cited ids of ours without a paragraph."""
    return sorted(filter(is_ours, set(cited) - set(known)))


def exists(place: str) -> bool:
    """Whether a dotted name is a module, or something inside one."""
    parts = place.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def test_each_cited_id_has_its_paragraph() -> None:
    """What a docstring, an error or a test names can be read: `pegboard rule` prints it."""
    assert homeless(cited_by_code(), rules()) == []
    assert homeless(cited_by_tests(), rules()) == []


def test_each_rule_of_an_error_has_its_paragraph() -> None:
    """An error names a rule by its id and nothing else, a proposal of BitShares included."""
    named = {found for text in code_texts() for found in ARGUMENT.findall(text)} - {""}
    assert len(named) > 80
    assert named <= set(rules()), sorted(named - set(rules()))


def test_each_refusal_cites_a_rule() -> None:
    """Whoever is refused can read why: `pegboard rule` knows what the error names."""
    refusals = {
        name
        for name, found in (vars(errors) | vars(lock_errors)).items()
        if isinstance(found, type) and issubclass(found, errors.TransactionRejected)
    }
    raised = [
        (path, call)
        for path, tree in code_trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(call := node.exc, ast.Call)
        if ast.unparse(call.func) in refusals
    ]
    assert len(raised) > 100
    silent = [
        f"{path}:{call.lineno}: {ast.unparse(call)}"
        for path, call in raised
        if "rule" not in {keyword.arg for keyword in call.keywords}
    ]
    assert silent == []


def test_each_rule_is_cited_by_code() -> None:
    """A rule that no code carries out is no rule of this node."""
    missing = [found for found in rules() if found not in cited_by_code()]
    assert missing == []


def test_each_rule_is_cited_by_a_test() -> None:
    """A rule without a test is a rule that nobody keeps."""
    missing = [found for found in rules() if found not in cited_by_tests()]
    assert missing == []


def test_no_id_has_two_homes() -> None:
    """Every paragraph stands on one page, once; every page that exists is read."""
    counts = Counter(item.id for item in all_paragraphs())
    assert [found for found, count in counts.items() if count > 1] == []
    pages = {
        str(path.relative_to(REPO))
        for top in ("protocol", "node")
        for path in (REPO / top).rglob("*.md")
        if rules_in(path.read_text(), "")
    }
    assert {item.page for item in all_paragraphs()} == pages


def test_places_in_code_exist() -> None:
    """Each paragraph says which code carries it out."""
    wrong = [
        (item.id, place)
        for item in all_paragraphs()
        for place in item.places or ("none named",)
        if not exists(place)
    ]
    assert wrong == []


def test_first_sentences_stand_alone() -> None:
    """They are shown with refusals: neither empty nor a page long, and no other id to look up."""
    for item in all_paragraphs():
        assert len(item.sentence) in SENTENCE_LENGTH, (item.id, item.sentence)
        assert item.sentence.endswith("."), (item.id, item.sentence)


def test_a_rule_is_found_by_its_id() -> None:
    """In any case; a section gives its rules in the order of their numbers."""
    assert rule("r4.2") is rule("R4.2")
    assert rule("R3.4A").title == "It must be able to pay"
    assert [item.id for item in section("R7")] == ["R7.1", "R7.2", "R7.3"]
    assert section("T-P")[-1].id == "T-P13"
    assert section("R4.2") == section("R99") == section("") == []


def test_an_unknown_id_names_near_ones() -> None:
    """A misspelt id is refused with those that it may have meant."""
    with pytest.raises(UnknownRule) as refusal:
        rule("R4.22")
    assert "R4.2" in str(refusal.value.limit)


PLANTED: list[tuple[str, Callable[[], object], object]] = [
    ("a new citation", lambda: homeless({"R4.2", "R4.99"}, rules()), ["R4.99"]),
    ("a lost paragraph", lambda: homeless({"R4.2"}, set(rules()) - {"R4.2"}), ["R4.2"]),
    ("a lost function", lambda: exists("node.market.margin_calls.is_summoned"), False),
    ("a lost module", lambda: exists("node.market.margin_bells.is_called"), False),
    ("a range", lambda: ids_in("(R2.3-R2.5), T-P1 to T-P2, B6a, XR1.1, R1.2.3"),
     {"R2.3", "R2.4", "R2.5", "T-P1", "T-P2", "B6a", "R1.2.3"}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "found", "expected"), PLANTED, ids=[item[0] for item in PLANTED])
def test_a_planted_fault_is_caught(
    case: str, found: Callable[[], object], expected: object
) -> None:
    """The checks above can fail."""
    assert found() == expected


def test_only_docstrings_of_tests_cite() -> None:
    """A helper, a comment or a plain string cites nothing."""
    source = '"""R1.1"""\ndef test_x():\n    "R1.2, B6a"\ndef helper():\n    "R1.3"\nx = "R1.4"\n'
    assert cited_in(source) == {"R1.1", "R1.2", "B6a"}
