"""`pegboard play`: what a scenario's file comes to, told step by step."""

from __future__ import annotations

import runpy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from node.cli.client import NodeClient
from node.cli.exits import FileUnreadable, UsageProblem
from node.cli.output import Output, heading
from node.cli.remote_chain import RemoteChain
from node.cli.remote_ledger import DeskKeys, RemoteLedger
from node.shipped import find_file
from pegboard.expectations import Outcome
from pegboard.player import Played, StepDone, play
from pegboard.scenario import ScenarioError, load_text, read_scenario
from pegboard.vocabulary import Market
from protocol.json_form import JsonValue
from protocol.wording import count_of


class ScenarioUnreadable(FileUnreadable):
    """A scenario's file is cut, of another version, or wrong."""

    name = ScenarioError.name


def play_file(
    output: Output,
    path: Path,
    *,
    seed: int | None,
    rules: Iterable[Path],
    settings: Iterable[str] = (),
    url: str | None,
) -> None:
    """Play a scenario, on a node if there is a URL, and print its steps and outcomes.

    Raises `ScenarioUnreadable`, `StepFailed`, `ExpectationFailed`, `FileUnreadable`,
    `NoSuchParameter`.
    """
    found = find_file(str(path))
    changes = read_settings(settings)
    with readable():
        scenario = read_scenario(load_text(found), path=str(found), changes=changes)
    for source in rules:
        run_rules(source)
    output.line(heading(scenario.title or str(path)))
    chosen = scenario.seed if seed is None else seed
    market = None if url is None else market_at(url, chosen)
    played = play(scenario, market=market, seed=chosen, tell=lambda done: show_step(output, done))
    show_result(output, played)
    played.check()


@contextmanager
def readable() -> Iterator[None]:
    """What is wrong with a scenario inside ends the command as a damaged file does."""
    try:
        yield
    except ScenarioError as error:
        raise ScenarioUnreadable(error.what, value=error.value, limit=error.limit) from error


def read_settings(texts: Iterable[str]) -> dict[str, str]:
    """Parameters and their values, as "MCR=1.6" each; raises `UsageProblem`."""
    found: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not (name and mark and value) or name in found:
            raise UsageProblem("--set: not NAME=VALUE, each once", value=text)
        found[name] = value
    return found


def market_at(url: str, seed: int) -> Market:
    """A market on a node whose people are new: their names end with the number of its head."""
    chain = RemoteChain(NodeClient(url))
    cast = f"-{chain.head()['head_block_number']}"
    return Market(RemoteLedger(chain, DeskKeys(), cast=cast), seed=seed)


def run_rules(path: Path) -> None:
    """Run a Python file that adds rules of agents; raises `FileUnreadable`."""
    try:
        runpy.run_path(str(path))
    except (OSError, SyntaxError) as error:
        raise FileUnreadable(f"cannot run rules: {error}", value=path) from error


def show_step(output: Output, done: StepDone) -> None:
    """Print a step that was played, what came of it, and what was foretold wrongly."""
    said, compared = done.said, done.compared
    verb, about = said.pop("do"), said.pop("say", None)
    words = " ".join(f"{key}={_word(value)}" for key, value in said.items())
    document: JsonValue = {
        "event": "step",
        "number": done.number,
        "do": str(verb),
        "say": None if about is None else str(about),
        "head_block_number": done.head_num,
        "foretold": len(compared.outcomes),
        "wrong": [_document(one) for one in compared.wrong],
        "events": list(compared.lines),
    }
    lines = [] if about is None else [f"{'':>5} {heading(str(about))}"]
    if not done.outcomes:
        lines.append(f"{done.number:>4}. {verb} {words}".rstrip())
    lines += [f"{'':>5} {line}" for line in compared.lines]
    if compared.wrong:
        lines.append(f"{'':>5} {len(compared.wrong)} numbers NOT AS FORETOLD")
    lines += [
        f"{'':>7} {one.text}: foretold {one.wanted}, found {one.found} ({one.rule})"
        for one in compared.wrong
    ]
    output.answer(document, lines)
    for outcome in done.outcomes:
        show_outcome(output, outcome)


def show_outcome(output: Output, outcome: Outcome) -> None:
    """Print what became of an expectation."""
    document: JsonValue = {"event": "expectation", **_document(outcome)}
    verdict = "as expected" if outcome.is_met else "NOT AS EXPECTED"
    line = f"      {verdict}: {outcome.text}; found {outcome.found} ({outcome.rule})"
    output.answer(document, [line])


def _document(outcome: Outcome) -> dict[str, JsonValue]:
    return {
        "text": outcome.text,
        "rule": outcome.rule,
        "found": outcome.found,
        "wanted": outcome.wanted,
        "ok": outcome.is_met,
    }


def show_result(output: Output, played: Played) -> None:
    """Print the last expectations, what agents were refused, and the end."""
    steps = [one for step in played.scenario.steps for one in getattr(step, "that", ())]
    for outcome in played.outcomes[len(steps) :]:
        show_outcome(output, outcome)
    refusals: dict[str, JsonValue] = {
        agent.account.name: dict(agent.refusals) for agent in played.market.agents if agent.refusals
    }
    head = played.market.ledger.head().num
    digest = played.market.state_hash()
    output.answer(
        {
            "event": "done",
            "seed": played.market.seed,
            "head_block_number": head,
            "state_hash": digest,
            "expectations": len(played.outcomes),
            "failed": len(played.failures),
            "foretold": len(played.foretold),
            "refusals": refusals,
        },
        [
            *_refusal_lines(played),
            *_foretold_line(played),
            f"seed {played.market.seed}, block {head}, state {digest}",
        ],
    )


def _refusal_lines(played: Played) -> Iterable[str]:
    for agent in played.market.agents:
        for name, count in sorted(agent.refusals.items()):
            yield f"      {agent.account.name} was refused {count_of(count, 'time')}: {name}"


def _foretold_line(played: Played) -> Iterable[str]:
    wrong = sum(not one.is_met for one in played.foretold)
    if played.foretold and not wrong:
        yield f"All {len(played.foretold)} foretold numbers are right."
    elif wrong:
        yield f"{wrong} of {len(played.foretold)} foretold numbers are wrong."


def _word(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text
