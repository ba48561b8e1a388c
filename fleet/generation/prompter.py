"""The stand-ins of a replay: model, gate and live tools that answer from a transcript."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from fleet.domain.build import StepKind
from fleet.domain.chat import Completion, CompletionRequest, Role
from fleet.domain.progress import NOTES_FACT, StepNotes
from fleet.domain.verdict import GateRequest, Verdict
from fleet.errors import InvalidInput, ModelError
from fleet.generation.divergence import Divergence
from fleet.generation.outcome import RecordEnded
from fleet.generation.tools.tool import Tool
from fleet.generation.tools.workbench import Workbench
from fleet.generation.transcript import (
    RecordedStep,
    Transcript,
    completion_of,
    cut_short,
    shape_of,
)
from fleet.ports import Clock, OnCheck, OnText

# Tools that need nothing but files and notes run for real: they are what a replay proves.
READING = {"list_files", "read_file", "search"}
WRITING = {"write_file", "edit_file", "delete_file", "move_file"}
FILE_TOOLS = frozenset({*READING, *WRITING, "note_decision"})


class MovableClock(Clock, Protocol):
    def advance_to(self, moment: datetime) -> None: ...


class Prompter:
    """Gives each request the next recorded completion of its kind, and notes what is otherwise."""

    def __init__(self, transcript: Transcript, clock: MovableClock) -> None:
        self._transcript = transcript
        self._clock = clock
        self._ahead = [s for s in transcript.steps if completion_of(s) or _by_rule(s)]
        self._step: RecordedStep | None = None
        self._traced = False
        self._calls: list[tuple[str, str, str]] = []  # (tool, arguments, result), not used yet
        self.divergences: list[Divergence] = []

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        step = self._next(_kind_of(request))
        if step is None:
            if not self._ahead and cut_short(self._transcript):
                raise RecordEnded
            raise ModelError(
                "The transcript holds no more completions of this kind.", retryable=False
            )
        self._step, self._calls, self._traced = step, _recorded_calls(step), False
        self._clock.advance_to(self._clock.now() + timedelta(seconds=step.elapsed_s))
        self._clock.advance_to(self._transcript.created_at + timedelta(seconds=step.at_s))
        shape = shape_of(request.messages)
        if step.prompt and shape != step.prompt:
            self._note("prompt", step.prompt, shape)
        completion = completion_of(step)
        if completion is None:
            raise ModelError("No analysis model answered then.", retryable=False)
        return completion

    def stand_in(self, tool: Tool[Any], bench: Workbench) -> Tool[Any]:
        """The tool itself where it needs only files; else one that answers as it did then."""
        if tool.name in FILE_TOOLS:
            return tool

        async def answer(arguments: BaseModel) -> str:
            await self._leave_traces(bench)
            for call in self._calls:
                name, sent, result = call
                if name == tool.name and _same(tool, sent, arguments):
                    self._calls.remove(call)
                    if result.startswith("Error: "):
                        raise InvalidInput(result.removeprefix("Error: "))
                    return result
            self._note("result", "no such call", f"{tool.name} {arguments.model_dump_json()}")
            raise InvalidInput("There is no record of this call.")

        return replace(tool, run=answer)

    def _next(self, kind: StepKind) -> RecordedStep | None:
        for index, step in enumerate(self._ahead):
            if step.kind is kind:
                if index:
                    skipped = self._ahead[0]
                    self._note(
                        "kind", f"{skipped.kind.value}: {skipped.title}", kind.value, skipped
                    )
                del self._ahead[: index + 1]
                return step
        return None

    async def _leave_traces(self, bench: Workbench) -> None:
        """What the recorded live tools left beside their results, once a step."""
        step = self._step
        if step is None or self._traced or not (noted := step.facts.get(NOTES_FACT)):
            return
        self._traced = True
        notes = StepNotes.model_validate(noted)
        for leave, traces in (
            (bench.notes.sql, notes.sql),
            (bench.notes.check, notes.checks),
            (bench.notes.checkpoint, notes.checkpoints),
            (bench.notes.package, notes.packages),
        ):
            for trace in traces:
                _leave(leave, trace)
        if notes.packages:
            for path, text in step.given.items():
                await bench.workspace.put(path, text)

    def _note(self, what: str, recorded: str, now: str, step: RecordedStep | None = None) -> None:
        at = step or self._step
        self.divergences.append(
            Divergence(step=at.number if at else 0, what=what, recorded=recorded, now=now)
        )


class RecordedGate:
    """Gives the verdicts that were given, about the commit that is asked about."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._verdicts = {(v.task, v.attempt): v.verdict for v in transcript.verdicts}

    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        _, position, attempt = request.run.rsplit(".", 2)
        recorded = self._verdicts.get((int(position), int(attempt)))
        if recorded is None:
            if cut_short(self._transcript) and not self._went_on(int(position), int(attempt)):
                raise RecordEnded
            raise InvalidInput(  # ends the build: a gate out of reach would be asked again
                f"The transcript holds no verdict on attempt {attempt} at task {position}."
            )
        if on_check is not None:
            for result in recorded.results:
                on_check(result)
        return recorded.model_copy(update={"commit": request.commit})

    def _went_on(self, task: int, attempt: int) -> bool:
        """A gate step of this attempt or a later one is on record, so the verdict was lost."""
        return any(
            step.kind is StepKind.GATE
            and step.task is not None
            and (step.task, step.facts.get("attempt")) >= (task, attempt)
            for step in self._transcript.steps
        )


def _leave(leave: Callable[[Any], None], trace: object) -> None:
    leave(trace)


def _by_rule(step: RecordedStep) -> bool:
    return step.kind is StepKind.COMPACTION


def _kind_of(request: CompletionRequest) -> StepKind:
    tools = {tool.name for tool in request.tools}
    if "submit_plan" in tools:
        return StepKind.ARCHITECT
    return StepKind.PRODUCER if "claim_done" in tools else StepKind.COMPACTION


def _recorded_calls(step: RecordedStep) -> list[tuple[str, str, str]]:
    results = {m.tool_call_id: m.content for m in step.messages if m.role is Role.TOOL}
    return [
        (call.name, call.arguments, results.get(call.id, ""))
        for message in step.messages
        for call in message.tool_calls
    ]


def _same(tool: Tool[Any], sent: str, arguments: BaseModel) -> bool:
    try:
        return bool(tool.arguments.model_validate(json.loads(sent or "{}")) == arguments)
    except (ValueError, ValidationError):
        return False
