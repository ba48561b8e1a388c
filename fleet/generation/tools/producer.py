"""All the tools of a producer but `claim_done`, which is the loop's own."""

from __future__ import annotations

from typing import Any

from fleet.generation.tools.files import reading_tools
from fleet.generation.tools.live import Live, live_tools
from fleet.generation.tools.tool import Tool
from fleet.generation.tools.workbench import Workbench
from fleet.generation.tools.writing import writing_tools


def producer_tools(bench: Workbench) -> list[Tool[Any]]:
    return [
        *reading_tools(bench.workspace),
        *writing_tools(bench.workspace, bench.notes),
        *live_tools(Live(bench.twin, bench.workspace, bench.now)),
    ]
