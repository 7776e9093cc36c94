"""The page of a plan's results: a plot and a table for each measure, in one file.

The plots are plotly's, whose script stands in the page; nothing is loaded from anywhere. The page
follows the reader's choice of light or dark, and says the same in tables to who sees no plots.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from node.lab.errors import PackageMissing
from node.lab.measures import MEASURES, Measure
from node.lab.plan import Plan, Vary, read
from node.lab.runs import RunResult
from node.lab.summary import SHARE_OF_RUNS, Estimate, Line
from node.version import VERSION

COLORS = ("#2a78d6", "#c2570c", "#2e8b57", "#9a4fb5", "#b5892a", "#c0396b", "#4f8f96", "#7a7a7a")
"""Of the lines of a plot: each is seen on white and on near black."""


def build_report(plan: Plan, results: Sequence[RunResult], lines: Sequence[Line]) -> str:
    """The page as HTML; raises `PackageMissing`."""
    title = read(plan, {}).title or plan.file
    sections, figures = [], {}
    assets = sorted({line.asset for line in lines})
    for asset in assets:
        for measure in MEASURES:
            found = [line for line in lines if (line.asset, line.measure) == (asset, measure.name)]
            if any(line.mean.value is not None for line in found):
                name = f"{asset}-{measure.name}"
                figures[name] = _figure(plan, found, measure)
                sections.append(_section(plan, found, measure, name, f"{asset}: {measure.title}"))
    head = _head(plan, results, title)
    page = (files("node.lab") / "report.html").read_text(encoding="utf-8")
    parts = {
        "TITLE": escape(title),
        "HEAD": head,
        "SECTIONS": "\n".join(sections),
        "FIGURES": json.dumps(figures, sort_keys=True).replace("<", "\\u003c"),
        "PLOTLY": _script(),
    }
    for name, part in parts.items():
        page = page.replace(f"<!--{name}-->", part, 1)
    return page


def _script() -> str:
    try:
        return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    except ImportError as error:
        raise PackageMissing("plotly", "lab", error) from error


def _head(plan: Plan, results: Sequence[RunResult], title: str) -> str:
    refused = sorted({one.refused for one in results if one.refused})
    count = sum(1 for one in results if one.refused)
    unmet = sum(1 for one in results if one.unmet)
    facts = {
        "Scenario": plan.file,
        "Varied": "; ".join(f"{one.name} = {', '.join(one.values)}" for one in plan.vary) or "-",
        "Set": "; ".join(f"{name} = {value}" for name, value in plan.changes.items()) or "-",
        "Runs": f"{len(results):,}: {plan.cell_count:,} cells, {plan.paths:,} paths each",
        "Seed": str(plan.seed),
        "pegboard": VERSION,
        "Refused runs": f"{count:,}" + (f" ({'; '.join(refused[:3])})" if refused else ""),
        "Runs with an expectation not met": f"{unmet:,}",
    }
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f"<h1>{escape(title)}</h1>\n<table class=facts><tbody>{rows}</tbody></table>"


def _section(plan: Plan, lines: Sequence[Line], measure: Measure, name: str, title: str) -> str:
    names = [one.name for one in plan.vary]
    what = "share of runs, Wilson interval" if measure.name == SHARE_OF_RUNS else "mean"
    columns = (*names, what, "95 % interval", "against the first row", "5 % … 95 % of runs", "runs")
    header = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(_row(plan, line, measure) for line in lines)
    label = escape(f"Plot of the table below: {title}", quote=True)
    return (
        f"<section><h2>{escape(title)}</h2><p>{escape(measure.what)}.</p>"
        f'<div class=plot id="{escape(name, quote=True)}" role=img aria-label="{label}"></div>'
        f"<div class=scroll><table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"
        "</div></section>"
    )


def _row(plan: Plan, line: Line, measure: Measure) -> str:
    cells = [
        *plan.cells[line.cell].values(),
        format_figure(line.mean.value, measure),
        format_interval(line.mean, measure),
        _difference(line, measure),
        f"{format_figure(line.low, measure)} … {format_figure(line.high, measure)}",
        f"{line.runs:,}",
    ]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _difference(line: Line, measure: Measure) -> str:
    if line.difference.value is None:
        return "-"
    figure = format_figure(line.difference.value, measure)
    sign = "" if figure.startswith("-") else "+"
    return f"{sign}{figure} ({format_interval(line.difference, measure)})"


def format_figure(figure: float | None, measure: Measure) -> str:
    """A figure as people read it: shares in percent, of hundredths; prices of five places."""
    if figure is None:
        return "-"
    return f"{100 * figure:.2f} %" if measure.is_share else f"{figure:.5f}"


def format_interval(estimate: Estimate, measure: Measure) -> str:
    """The bounds of an interval."""
    if estimate.low is None or estimate.high is None:
        return "-"
    low, high = format_figure(estimate.low, measure), format_figure(estimate.high, measure)
    return f"{low.removesuffix(' %')} … {high}"


def _figure(plan: Plan, lines: Sequence[Line], measure: Measure) -> dict[str, object]:
    """A plot as plotly has it: the parameter of most values to the right, a line for the rest."""
    scale = 100 if measure.is_share else 1
    axis = _axis(plan)
    traces: dict[str, dict[str, list[object]]] = {}
    for line in lines:
        if line.mean.value is None:
            continue
        cell = plan.cells[line.cell]
        rest = ", ".join(f"{n} {value}" for n, value in cell.items() if axis and n != axis.name)
        trace = traces.setdefault(rest, {"x": [], "y": [], "up": [], "down": []})
        value = line.mean.value
        trace["x"].append(_number(cell[axis.name]) if axis else "all runs")
        trace["y"].append(scale * value)
        trace["up"].append(scale * ((line.mean.high or value) - value))
        trace["down"].append(scale * (value - (value if line.mean.low is None else line.mean.low)))
    data = [
        {
            "name": rest,
            "x": trace["x"],
            "y": trace["y"],
            "mode": "lines+markers",
            "line": {"color": COLORS[number % len(COLORS)]},
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": trace["up"],
                "arrayminus": trace["down"],
            },
        }
        for number, (rest, trace) in enumerate(traces.items())
    ]
    layout = {
        "xaxis": {"title": {"text": axis.name if axis else ""}},
        "yaxis": {"title": {"text": measure.title + (", %" if measure.is_share else "")}},
        "showlegend": len(data) > 1,
    }
    return {"data": data, "layout": layout}


def _axis(plan: Plan) -> Vary | None:
    return max(plan.vary, key=lambda one: len(one.values), default=None)


def _number(text: str) -> float | str:
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        return text
