"""Every rule of the rule book is cited by the docstring of at least one test."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.rules import NOT_APPLICABLE, RULES

TESTS = Path(__file__).resolve().parent
RULE = re.compile(r"\b(R[0-9]+\.[0-9]+|B[0-9]+a?)\b")


def cited_in(source: str) -> set[str]:
    """Ids in the docstrings of a test module: its own, its classes' and its tests'."""
    tree = ast.parse(source)
    documents = [ast.get_docstring(tree) or ""]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test_"):
                documents.append(ast.get_docstring(node) or "")
        elif isinstance(node, ast.ClassDef):
            documents.append(ast.get_docstring(node) or "")
    return {rule for text in documents for rule in RULE.findall(text)}


@cache
def cited_rules() -> frozenset[str]:
    """Ids that any test of the repository cites."""
    paths = TESTS.glob("**/test_*.py")
    return frozenset(rule for path in paths for rule in cited_in(path.read_text()))


def test_each_rule_is_cited_or_excused() -> None:
    """A rule without a test is a rule that nobody keeps."""
    missing = [rule for rule in RULES if rule not in cited_rules() | set(NOT_APPLICABLE)]
    assert not missing, f"no test cites {', '.join(missing)}"


def test_no_excuse_is_stale() -> None:
    """An excused rule has no test, and is a rule."""
    assert set(NOT_APPLICABLE) <= set(RULES)
    assert not cited_rules() & set(NOT_APPLICABLE)


def test_no_test_cites_a_rule_that_does_not_exist() -> None:
    """A misspelt id is found here, not by a reader."""
    assert cited_rules() <= set(RULES), sorted(cited_rules() - set(RULES))


def test_only_docstrings_of_tests_cite() -> None:
    """A helper, a comment or a plain string cites nothing."""
    source = '"""R1.1"""\ndef test_x():\n    "R1.2, B6a"\ndef helper():\n    "R1.3"\nx = "R1.4"\n'
    assert cited_in(source) == {"R1.1", "R1.2", "B6a"}
