"""From a message to a validated plan: reads, then submits, a bounded number of times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from fleet.domain.build import Step, StepKind
from fleet.domain.catalog import CatalogNote
from fleet.domain.chat import ChatMessage, Role
from fleet.domain.plan import Plan
from fleet.errors import InvalidInput
from fleet.generation.budget import priced
from fleet.generation.compaction import Compaction, due
from fleet.generation.context import before, conversation, repeated, seen_before
from fleet.generation.path import checked_path
from fleet.generation.prompt import fenced, prompt
from fleet.generation.reserved import collisions
from fleet.generation.tools.files import reading_tools
from fleet.generation.tools.tool import Tool, Toolbox
from fleet.generation.turn import Mind, Turn, take_turn
from fleet.generation.workspace import Workspace
from fleet.ports import NewStep
from fleet.settings import Settings

SUBMIT = "submit_plan"
# Reading included; a planner that never submits must end too.
MAX_ARCHITECT_STEPS = 30
_MUTE = "Call submit_plan with the plan; text alone has no effect."


@dataclass(frozen=True)
class Request:
    """What the architect is told of the project, as JSON it can rely on."""

    message: str
    project: str
    title: str
    files: Sequence[str]
    spec: JsonValue
    schema: dict[str, list[str]]
    last_outcome: JsonValue

    def as_json(self) -> JsonValue:
        return {
            "message": self.message,
            "project": self.project,
            "title": self.title,
            "files": list(self.files),
            "spec": self.spec,
            "schema": {table: list(columns) for table, columns in self.schema.items()},
            "last_outcome": self.last_outcome,
        }


class Architect:
    def __init__(
        self,
        mind: Mind,
        workspace: Workspace,
        catalog: Sequence[CatalogNote],
        request: Request,
        settings: Settings,
    ) -> None:
        self._mind = mind
        self._settings = settings
        self._kinds = frozenset(note.kind for note in catalog)
        self._tools = Toolbox([*reading_tools(workspace), self._submit_tool()])
        self._head = (
            ChatMessage(
                role=Role.SYSTEM,
                content=prompt("architect", catalog=catalog_text(catalog, examples=False)),
            ),
            ChatMessage(
                role=Role.USER,
                content=prompt(
                    "architect_request", request=fenced("appfleet:request", request.as_json())
                ),
            ),
        )

    def compaction(self, steps: Sequence[Step]) -> Compaction | None:
        """What of the conversation must be compacted before the next completion."""
        return due(self._head, steps, self._settings)

    async def step(self, steps: Sequence[Step]) -> NewStep:
        """The next completion after `steps`, the architect's own so far."""
        asked = conversation(self._head, steps)
        turn = await take_turn(self._mind, asked, self._tools)
        refused = [r.content for c, r in turn.results if c.name == SUBMIT and r.failed]
        accepted = any(call.name == SUBMIT for call in turn.done)
        messages, facts = turn.messages, dict[str, JsonValue](accepted=accepted)
        if not turn.results:
            refused = [turn.ends or _MUTE]
            messages = (*messages, ChatMessage(role=Role.USER, content=_MUTE))
        if refused and not accepted:
            facts["refused"] = refused[-1]
        if turn.problem:
            facts["problem"] = turn.problem
        if turn.raw is not None:
            facts["raw"] = turn.raw.model_dump(mode="json")
        usage = seen_before(turn.usage, repeated(before(self._head, steps), asked))
        return NewStep(
            task=None,
            kind=StepKind.ARCHITECT,
            title=_title(turn, accepted),
            messages=messages,
            facts=facts,
            usage=priced(usage, self._mind.name, self._settings),
            elapsed_s=turn.elapsed_s,
        )

    def _submit_tool(self) -> Tool[Any]:
        async def submit(plan: Plan) -> str:
            problems = plan_problems(plan, self._kinds)
            if problems:
                raise InvalidInput("The plan is not valid: " + " ".join(problems))
            return "The plan is accepted."

        return Tool(SUBMIT, "Submit the plan; a refusal says what to mend.", Plan, submit)


def plan_problems(plan: Plan, kinds: frozenset[str]) -> list[str]:
    """What the types cannot say. Each is a sentence with what to do."""
    problems = collisions(plan.contract)
    for service in plan.services:
        if kinds and service.kind not in kinds:
            problems.append(
                f"Service {service.kind!r} is not in the catalog; use {', '.join(sorted(kinds))}."
            )
    for task in plan.tasks:
        if not task.scope:
            problems.append(
                f"Task {task.title!r} may write nothing; give its scope, like 'src/**'."
            )
        for pattern in task.scope:
            try:
                checked_path(pattern)
            except InvalidInput as error:
                problems.append(f"Scope {pattern!r} of task {task.title!r}: {error}")
    if not plan.contract.pages and not plan.contract.procedures:
        problems.append("The contract is empty; declare at least one page or procedure.")
    return problems


def accepted_plan(steps: Sequence[Step]) -> Plan | None:
    """The plan a recorded step has accepted: read again from the call itself."""
    for step in steps:
        if step.kind is not StepKind.ARCHITECT or not step.facts.get("accepted"):
            continue
        refused = {
            m.tool_call_id
            for m in step.messages
            if m.role is Role.TOOL and m.content.startswith("Error:")
        }
        for call in step.messages[0].tool_calls:
            if call.name == SUBMIT and call.id not in refused:
                return Plan.model_validate(json.loads(call.arguments))
    return None


def refusals(steps: Sequence[Step]) -> list[str]:
    return [str(s.facts["refused"]) for s in steps if s.facts.get("refused")]


def catalog_text(catalog: Sequence[CatalogNote], *, examples: bool) -> str:
    """The whole catalog, always in one order, so that the prompt's prefix never moves."""
    parts = []
    for note in sorted(catalog, key=lambda n: n.kind):
        parts.append(f"## {note.kind}: {note.title}\n\n{note.text.strip()}")
        for path, text in sorted(note.example.items()):
            if examples:
                parts.append(f"`{path}`\n\n~~~~\n{text.rstrip()}\n~~~~")
            else:
                parts.append(f"- example file `{path}`")
    return "\n\n".join(parts) or "(empty)"


def _title(turn: Turn, accepted: bool) -> str:
    if accepted:
        return "Planned"
    names = sorted({call.name for call, _ in turn.results})
    return f"Planning: {', '.join(names)[:120]}" if names else "Planning"
