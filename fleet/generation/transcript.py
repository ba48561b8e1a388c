"""A build's transcript: one JSON document with all that is needed to run it again without a model.

It is read from the record and the repository alone. Tool results and verdicts stand in it word for
word; of files written only the digests, since the calls themselves hold the text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import JsonValue, ValidationError

from fleet.domain.build import FINAL_BUILD_STATES, Build, BuildState, Step, StepKind, TaskState
from fleet.domain.chat import ChatMessage, Completion, FinishReason, Role, Usage
from fleet.domain.frozen import Frozen
from fleet.domain.ids import BuildId, CommitId, ProjectId
from fleet.domain.plan import Plan
from fleet.domain.project import SPEC_PATH, Spec
from fleet.domain.verdict import Verdict
from fleet.errors import InvalidInput, NotFound
from fleet.generation.compaction import SUMMARY_FACT
from fleet.generation.context import conversation
from fleet.generation.outcome import MODEL_FAILED, OWNER_SPENT, PLATFORM_FAILED
from fleet.generation.plan import recorded_base
from fleet.ports import Repositories, Store
from fleet.settings import Settings

VERSION = 1
MAX_FILE_CHARS = 200_000
MAX_BASE_CHARS = 4_000_000
# Settings that decide what a build does; the others decide where it does it.
SETTINGS = ("max_", "spiral_", "context_", "owner_", "model_prices")
MODELS = ("planning_model", "coding_model", "analysis_model")
_FAULTS = {PLATFORM_FAILED: "the platform failed", MODEL_FAILED: "the model failed"}
# Files a tool writes whose text is in no call of the model.
_LOCK = "package-lock.json"
_GIVEN = ("package.json", _LOCK)
_MARK = re.compile(r"\[left out of the transcript: (\d{1,9}) bytes, sha256 [0-9a-f]+…\]\n")


class Earlier(Frozen):
    """The project's build before this one, which a follow-up is told of."""

    text: str
    state: BuildState
    explanation: str = ""
    plan: Plan | None = None


class RecordedStep(Frozen):
    """`task` is the task's position from 1, None for the architect. `prompt` is the shape of what
    the model was asked (see `shape_of`), "" where none was asked. `writes` maps paths to digests of
    their text (None: deleted); `given` holds the texts that no call of the model contains. `at_s`
    counts from the message to the end of the step."""

    number: int
    kind: StepKind
    task: int | None
    title: str
    prompt: str = ""
    messages: tuple[ChatMessage, ...] = ()
    writes: dict[str, str | None] = {}
    given: dict[str, str] = {}
    facts: dict[str, JsonValue] = {}
    usage: Usage = Usage()
    elapsed_s: float = 0.0
    at_s: float = 0.0


class RecordedAttempt(Frozen):
    task: int
    attempt: int
    verdict: Verdict


class RecordedTask(Frozen):
    title: str
    state: TaskState
    attempts: int


class Transcript(Frozen):
    """`base` maps paths to texts; a file too long for it has `left_out` in its place.

    `catalog` names the kinds of services that a plan could use. `first`: the project had no green
    build before.
    """

    version: Literal[1] = 1
    project: ProjectId
    build: BuildId
    title: str
    spec: Spec
    message: str
    model: str | None
    created_at: datetime
    settings: dict[str, JsonValue]
    catalog: tuple[str, ...] = ()
    first: bool
    base: dict[str, str]
    earlier: tuple[Earlier, ...] = ()
    plan: Plan | None
    steps: tuple[RecordedStep, ...]
    verdicts: tuple[RecordedAttempt, ...]
    tasks: tuple[RecordedTask, ...]
    state: BuildState
    explanation: str
    usage: Usage


async def export(
    store: Store,
    repositories: Repositories,
    build: BuildId,
    settings: Settings,
    catalog: Sequence[str] = (),
) -> Transcript:
    """Of a build in any state. NotFound for one that is unknown."""
    found = await store.build(build)
    project = await store.project(found.project)
    steps = await store.steps(build)
    tasks = await store.tasks(build)
    positions = {task.id: position for position, task in enumerate(tasks, 1)}
    verdicts = await store.verdicts(build)
    earlier = [b for b in await store.builds(project.id) if b.created_at < found.created_at]
    base = recorded_base(steps)
    return Transcript(
        project=project.id,
        build=build,
        title=_title_before(project.title, earlier),
        spec=project.spec,
        message=found.text,
        model=found.model,
        created_at=found.created_at,
        settings=_settings(settings),
        catalog=tuple(sorted(catalog)),
        first=not any(b.state is BuildState.SUCCEEDED for b in earlier),
        base=await _files(repositories, project.id, base) if base else {},
        earlier=_told(earlier),
        plan=found.plan,
        steps=tuple(
            _recorded(step, steps, None if step.task is None else positions[step.task]).model_copy(
                update={"at_s": (step.created_at - found.created_at).total_seconds()}
            )
            for step in steps
        ),
        verdicts=tuple(
            RecordedAttempt(task=positions[v.task], attempt=v.attempt, verdict=v.verdict)
            for v in sorted(verdicts, key=lambda v: (positions[v.task], v.attempt))
        ),
        tasks=tuple(RecordedTask(title=t.title, state=t.state, attempts=t.attempts) for t in tasks),
        state=found.state,
        explanation=found.explanation,
        usage=found.usage,
    )


def cut_short(transcript: Transcript) -> str:
    """Why the record ends where nothing in it says so, in plain words; "" for all others. Such an
    end is not the generator's: a replay can only go as far."""
    said = transcript.explanation
    if transcript.state not in FINAL_BUILD_STATES:
        return f"the build was still {transcript.state.value}"
    if transcript.state is BuildState.CANCELLED:
        return "the build was cancelled"
    if transcript.state is BuildState.OUT_OF_BUDGET and said.startswith(OWNER_SPENT):
        return "other builds of the owner had spent what there was"
    if transcript.state is BuildState.FAILED:
        for begins, why in _FAULTS.items():
            if said.startswith(begins):
                return why
    return ""


def read_transcript(text: str) -> Transcript:
    """InvalidInput for a file that is none, or of another version."""
    try:
        return Transcript.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise InvalidInput(
            f"This is no transcript of version {VERSION}: {where}: {first['msg']}.",
            action="Export it again with `appfleet transcript PROJECT`.",
        ) from error


def transcript_text(transcript: Transcript) -> str:
    return transcript.model_dump_json(indent=1, round_trip=True) + "\n"


def completion_of(step: RecordedStep) -> Completion | None:
    """What the model said in a step, in its own words; None where no model was asked."""
    if raw := step.facts.get("raw"):
        return Completion.model_validate(raw)
    usage = step.usage.model_copy(update={"repeated_tokens": 0, "cost_microusd": 0})
    if step.kind is StepKind.COMPACTION:
        if step.facts.get("by") != "model":
            return None
        said = ChatMessage(role=Role.ASSISTANT, content=str(step.facts.get(SUMMARY_FACT, "")))
    elif step.kind is StepKind.GATE or not step.messages:
        return None
    else:
        said = step.messages[0]
    finish = FinishReason.TOOL_CALLS if said.tool_calls else FinishReason.STOP
    return Completion(message=said, finish=finish, usage=usage)


def shape_of(messages: Sequence[ChatMessage]) -> str:
    """Who speaks and which tools are called, in order: its length and a digest."""
    words = [
        f"{m.role.value}({','.join(c.name for c in m.tool_calls)})" if m.tool_calls else m.role
        for m in messages
    ]
    return f"{len(words)} messages, {digest(' '.join(words))}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def writes_of(writes: dict[str, str | None]) -> dict[str, str | None]:
    return {path: None if text is None else digest(text) for path, text in sorted(writes.items())}


def _recorded(step: Step, steps: Sequence[Step], position: int | None) -> RecordedStep:
    asked = step.kind in (StepKind.ARCHITECT, StepKind.PRODUCER)
    before = [s for s in steps if s.task == step.task and s.number < step.number]
    return RecordedStep(
        number=step.number,
        kind=step.kind,
        task=position,
        title=step.title,
        prompt=shape_of(conversation(_HEAD, before)) if asked else "",
        messages=step.messages,
        writes=writes_of(step.writes),
        given={p: t for p, t in step.writes.items() if p.endswith(_GIVEN) and t is not None},
        facts=step.facts,
        usage=step.usage,
        elapsed_s=step.elapsed_s,
    )


_HEAD = (ChatMessage(role=Role.SYSTEM), ChatMessage(role=Role.USER))


def _settings(settings: Settings) -> dict[str, JsonValue]:
    every: dict[str, JsonValue] = settings.model_dump(mode="json")
    return {n: v for n, v in sorted(every.items()) if n.startswith(SETTINGS) or n in MODELS}


def _title_before(now: str, earlier: Sequence[Build]) -> str:
    planned = [b.plan.title for b in earlier if b.plan is not None]
    return planned[-1] if planned else now


def _told(earlier: Sequence[Build]) -> tuple[Earlier, ...]:
    """The last build, and the last one that went right: what a planner is told of."""
    if not earlier:
        return ()
    green = next((b for b in reversed(earlier) if b.state is BuildState.SUCCEEDED), None)
    last = earlier[-1]
    kept = [green, last] if green and green is not last else [last]
    return tuple(
        Earlier(text=b.text, state=b.state, explanation=b.explanation, plan=b.plan) for b in kept
    )


async def _files(
    repositories: Repositories, project: ProjectId, commit: CommitId
) -> dict[str, str]:
    try:
        texts = await repositories.read_all(project, commit, "")
    except NotFound:
        return {}  # its repository is gone; the conversation is still worth reading
    files: dict[str, str] = {}
    room = MAX_BASE_CHARS
    for path, text in sorted(texts.items(), key=lambda item: (len(item[1]), item[0])):
        fits = len(text) <= min(MAX_FILE_CHARS, room) and not path.endswith(_LOCK)
        files[path] = text if fits or path == SPEC_PATH else left_out(text)
        room -= len(files[path])
    return dict(sorted(files.items()))


def left_out(text: str) -> str:
    return f"[left out of the transcript: {len(text.encode())} bytes, sha256 {digest(text)}…]\n"


def restored(text: str) -> str:
    """A file of the base for a replay: one that was left out has its size at least."""
    marked = _MARK.fullmatch(text)
    return text + "\n" * (int(marked[1]) - len(text.encode())) if marked else text
