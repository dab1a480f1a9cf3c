"""Results as tables: `python -m benchmarks.report FILE ...` puts them into benchmarks/results.md, with a chart."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from benchmarks.chart import chart
from benchmarks.results import Line, Range, Results, lines

_PROJECT = Path(__file__).parents[1]
_DOCUMENT = _PROJECT / "benchmarks" / "results.md"
_CHART = _PROJECT / "docs" / "images" / "performance.svg"
_BEGIN, _END = "<!-- begin: benchmarks.report -->", "<!-- end: benchmarks.report -->"

_HEAD = (
    "| Work | Program | Time, s | Our time / its time | Goal | Processor, s | Memory, MB | |\n"
    "|---|---|---|---|---|---|---|---|"
)


def tables(results: Results) -> str:
    """Return everything that was measured as Markdown."""
    parts = ["Tiny sizes, to see whether it works: the figures say nothing.\n"] if results.quick else []
    found = list(lines(results))
    if found:
        told = [_HEAD]
        for _, group in groupby(found, key=lambda line: line.work.name):
            told += _group(group)
        parts.append("\n".join(told) + "\n")
    if growth := "\n".join(_growth(found)):
        parts.append(f"| One mailbox with | Milliseconds each | Memory, MB |\n|---|---|---|\n{growth}\n")
    if results.daemon:
        parts.append("\n".join(_daemon(results.daemon)) + "\n")
    if results.machine:
        parts.append("Measured on: " + "; ".join(f"{name} {what}" for name, what in results.machine.items()) + ".\n")
    return "\n".join(parts)


def insert(document: str, generated: str) -> str:
    """Return the document with what is between its two marks replaced. Raises ValueError where they are not there."""
    before, begin, rest = document.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the document has no {_BEGIN} … {_END}")
    return f"{before}{begin}\n\n{generated}\n{end}{after}"


def merged(all_results: Iterable[Results]) -> Results:
    """Return several runs' results as one; of a row that was run twice the later one counts."""
    whole = Results(False)
    for each in all_results:
        names = {work.name for work in each.rows}
        whole.quick |= each.quick
        whole.machine |= each.machine
        whole.rows = list({work.name: work for work in (*whole.rows, *each.rows)}.values())
        whole.turns = [turn for turn in whole.turns if turn.row not in names] + each.turns
        whole.daemon |= each.daemon
    return whole


def _group(group: Iterable[Line]) -> Iterator[str]:
    for number, line in enumerate(group):
        cells = ["" if number else line.work.what, line.client]
        if line.seconds is None:
            cells += ["–", "", "", "", ""]
        else:
            # there are goals for ours alone
            cpu, memory = (0.0, 0) if number else (line.work.cpu, line.work.memory)
            cells += [_range(line.seconds), _range(line.share)]
            cells += [_met(line.goal, line.share.median) if line.goal and line.share else ""]
            cells += [f"{line.cpu:.2f} {_limit(cpu, line.cpu)}".strip()]
            cells += [f"{line.memory / 1e6:.0f} {_limit(memory / 1e6, line.memory / 1e6)}".strip()]
        cells.append(_remark(line))
        yield f"| {' | '.join(cells)} |"


def _remark(line: Line) -> str:
    told = [f"{line.turns} turns"]
    if line.altered:
        told.append(f"alters {line.altered} messages")
    if line.failed:
        told.append(f"{line.failed} more do not count: {line.problem}".replace("|", "/").replace("\n", " "))
    return "; ".join(told)


def _range(values: Range | None) -> str:
    return f"{values.median:.2f} ({values.low:.2f}–{values.high:.2f})" if values else ""


def _met(goal: float, value: float) -> str:
    return f"{goal:.3g}" + (" ✓" if value <= goal else " missed")


def _limit(goal: float, value: float) -> str:
    return f"(goal {_met(goal, value)})" if goal else ""


def _growth(found: Iterable[Line]) -> Iterator[str]:
    for line in found:
        if line.work.name.startswith("growth") and line.seconds is not None:
            each = 1000 * line.seconds.median / line.work.messages
            yield f"| {line.work.messages:,} messages | {each:.3f} | {line.memory / 1e6:.0f} |"


def _daemon(told: dict[str, float]) -> Iterator[str]:
    yield "| A daemon whose clients have no mail | Measured | Goal |"
    yield "|---|---|---|"
    yield f"| clients, each polled every {told['period']:.0f} s | {told['clients']:,.0f} | |"
    yield f"| polled within {told['window']:.0f} s, at least once each | {told['polled']:,.0f} | all |"
    yield f"| late by, median | {told['late p50']:.3f} s | |"
    yield f"| late by, p99 | {told['late p99']:.3f} s | 2 s |"
    yield f"| late by, most | {told['late most']:.3f} s | |"
    yield f"| processor | {100 * told['cpu']:.1f} % of a core | 10 % |"
    yield f"| memory, most | {told['memory'] / 1e6:.0f} MB | 150 MB |"


def main() -> int:
    """Write the document and the chart, or print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", nargs="+", help="what benchmarks.peers and benchmarks.idle wrote; the last counts")
    parser.add_argument("--print", action="store_true", help="print the tables and change nothing")
    chosen = parser.parse_args()
    results = merged(Results.load(path) for path in chosen.results)
    if chosen.print:
        print(tables(results))
        return 0
    if results.quick:
        print("These are results of --quick, which say nothing: nothing was written.", file=sys.stderr)
        return 1
    picture = f"![Seconds to retrieve mail, by program](../docs/images/{_CHART.name})\n\n"
    _DOCUMENT.write_text(insert(_DOCUMENT.read_text(), picture + tables(results)))
    _CHART.write_text(chart(list(lines(results))))
    print(f"Written: {_DOCUMENT}, {_CHART}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
