"""All the tools of a producer but `claim_done`, which is the loop's own."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from fleet.generation.tools.data import data_tools
from fleet.generation.tools.files import reading_tools
from fleet.generation.tools.live import live_tools
from fleet.generation.tools.packages import package_tools
from fleet.generation.tools.schema import schema_tools
from fleet.generation.tools.tool import Arguments, Tool
from fleet.generation.tools.workbench import Workbench
from fleet.generation.tools.writing import writing_tools


class NoteDecision(Arguments):
    text: str = Field(min_length=3, max_length=1_000, description="What was decided, and why.")


def producer_tools(bench: Workbench) -> list[Tool[Any]]:
    async def note_decision(arguments: NoteDecision) -> str:
        bench.notes.decision(arguments.text)
        return "Noted, word for word."

    return [
        *reading_tools(bench.workspace),
        *writing_tools(bench.workspace, bench.notes),
        *data_tools(bench),
        *schema_tools(bench),
        *live_tools(bench),
        *package_tools(bench),
        Tool(
            "note_decision",
            "Keep a decision in mind: it stays when the conversation is shortened.",
            NoteDecision,
            note_decision,
        ),
    ]
