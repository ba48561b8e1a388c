"""A measured figure: several runs, their median and worst, beside what was asked for."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fleet.domain.frozen import Frozen


class Figure(Frozen):
    """`runs` in `unit`; `target` is the most the median may be, None for a baseline or a part."""

    name: str
    unit: str
    runs: tuple[float, ...]
    target: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def worst(self) -> float:
        return max(self.runs)

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.median <= self.target


def show(figures: list[Figure]) -> None:
    table = Table(title="appfleet benchmarks", title_justify="left")
    for column in ("figure", "asked", "median", "worst", "runs", "note"):
        table.add_column(column, justify="left" if column in {"figure", "note"} else "right")
    for figure in figures:
        asked = "" if figure.target is None else f"≤ {figure.target:g} {figure.unit}"
        style = {True: "green", False: "red", None: ""}[figure.met]
        table.add_row(
            figure.name,
            asked,
            f"{figure.median:.3g} {figure.unit}",
            f"{figure.worst:.3g} {figure.unit}",
            str(len(figure.runs)),
            figure.note,
            style=style,
        )
    Console(width=140).print(table)


def write_json(figures: list[Figure], path: Path) -> None:
    rows = [{**f.model_dump(), "median": f.median, "worst": f.worst, "met": f.met} for f in figures]
    path.write_text(json.dumps({"figures": rows}, indent=2) + "\n")
