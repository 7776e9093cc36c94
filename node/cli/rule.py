"""`pegboard rule`: what the ids in refusals and docstrings mean."""

from __future__ import annotations

import click

from node.cli.options import output_options
from node.cli.output import Output, heading
from node.rules import Rule, rule, rules, section


@click.command("rule")
@click.argument("rule_id", required=False, metavar="[ID]")
@output_options
def show_rule(output: Output, rule_id: str | None) -> None:
    """Print the rule of an id such as R4.2; those of a section for R4; all titles without an ID.

    \b
    pegboard rule R4.2
    pegboard rule R3
    pegboard rule T-P7 --json
    """
    listed = list(rules().values()) if rule_id is None else section(rule_id)
    if listed:
        output.answer(
            [{"id": item.id, "title": item.title} for item in listed],
            (f"{item.id:<8} {item.title}" for item in listed),
        )
        return
    found = rule(rule_id or "")
    output.answer(
        {
            "id": found.id,
            "title": found.title,
            "sentence": found.sentence,
            "text": found.text,
            "code": list(found.places),
            "shown_by": list(found.shown),
            "page": found.page,
        },
        _lines(found),
    )


def _lines(found: Rule) -> list[str]:
    return [heading(f"{found.id}  {found.title}"), "", *found.text.splitlines(), "", found.page]
