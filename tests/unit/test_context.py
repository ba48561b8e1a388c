"""Compaction: where a conversation is cut, what survives, and what a prefix cache sees."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence

import pytest

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import (
    ChatMessage,
    Completion,
    CompletionRequest,
    FinishReason,
    Role,
    Usage,
)
from fleet.drivers.memory.model import ScriptedModel
from fleet.drivers.system.clock import SystemClock
from fleet.errors import ModelError
from fleet.generation.compaction import Compaction, compact, rendered
from fleet.generation.context import Window, conversation, cut, repeated, tokens
from fleet.generation.turn import Mind
from tests.unit.recorded import TASK, gate, numbered, step

HEAD = (ChatMessage(role=Role.SYSTEM, content="s"), ChatMessage(role=Role.USER, content="u"))
WINDOW = Window(high=5_000, low=1_500)


def long(count: int) -> list[Step]:
    return [
        step(n, ("write_file", "x" * 1_000), writes={f"f{n}.ts": f"text {n}"}, title=f"Wrote f{n}")
        for n in range(1, count + 1)
    ]


def mind(*answers: str | ModelError) -> Mind:
    script: list[Completion | ModelError] = [
        answer
        if isinstance(answer, ModelError)
        else Completion(
            message=ChatMessage(role=Role.ASSISTANT, content=answer),
            finish=FinishReason.STOP,
            usage=Usage(prompt_tokens=50, completion_tokens=5, completions=1),
        )
        for answer in answers
    ]
    return Mind(ScriptedModel(script), "analyst", SystemClock())


async def compacted(steps: list[Step], through: int, *answers: str | ModelError) -> list[Step]:
    new = await compact(TASK, steps, Compaction(through, "full"), mind(*answers))
    return [*steps, numbered(new, steps[-1].number + 1)]


def tracked(message: ChatMessage) -> dict[str, object]:
    _, _, rest = message.content.partition("```json appfleet:progress\n")
    block, _, _ = rest.partition("\n```")
    value: dict[str, object] = json.loads(block)
    return value


def test_a_short_history_is_whole_and_needs_no_cut() -> None:
    steps = long(3)
    assert conversation(HEAD, steps) == (*HEAD, *(m for s in steps for m in s.messages))
    assert cut(HEAD, steps, WINDOW) == 0


def test_a_cut_keeps_about_the_low_mark_and_always_the_newest_step() -> None:
    steps = long(30)
    through = cut(HEAD, steps, WINDOW)
    kept = [s for s in steps if s.number > through]
    assert 0 < sum(tokens(s.messages) for s in kept) <= WINDOW.low
    big = [*long(3), step(4, ("write_file", "x" * 16_000))]
    assert cut(HEAD, big, Window(high=4_500, low=1_000)) == 3
    huge = [*long(3), step(4, ("write_file", "x" * 40_000))]
    assert cut(HEAD, huge, Window(high=4_500, low=1_000)) == 4


async def test_nothing_is_cut_twice_when_cutting_cannot_help() -> None:
    steps = await compacted(long(30), 30, "short")
    tiny = Window(high=10, low=5)
    assert cut(HEAD, steps, tiny) == 0


async def test_what_was_done_survives_word_for_word_and_every_call_keeps_its_answer() -> None:
    notes = {
        "sql": [{"statement": "select 'ß'", "database": "dev", "rows": 1}],
        "checks": [{"check": "typecheck", "passed": False, "fingerprint": "abc"}],
        "decisions": ["Amounts are numeric(12,2): floats lose cents."],
        "scope_exits": [{"path": "vite.config.ts", "reason": "the alias lives there"}],
        "packages": ["+nanoid@5.1.6"],
        "confirmed": [{"path": "src/App.tsx", "sha256": "0" * 64, "bytes": 3}],
        "checkpoints": ["cp_1"],
    }
    evidence = [{"check": "tests", "where": "tests/a.test.ts", "message": "2 is not 3"}]
    steps = [
        *long(4),
        step(5, ("run_sql", "{}"), facts={"notes": notes}),
        gate(6, "f1", attempt=1, evidence=evidence),
        step(7, ("delete_file", "{}"), writes={"f1.ts": None, "f2.ts": "again"}),
        step(8, ("read_file", "{}")),
    ]
    steps = await compacted(steps, 7, "It went well.")
    told = conversation(HEAD, steps)
    assert told[:2] == HEAD
    assert told[3:] == steps[7].messages
    kept = tracked(told[2])
    assert kept["files"]["f2.ts"] == {  # type: ignore[index]
        "sha256": hashlib.sha256(b"again").hexdigest(),
        "bytes": 5,
    }
    assert kept["files"]["f1.ts"] is None  # type: ignore[index]
    assert kept["files"]["src/App.tsx"]["bytes"] == 3  # type: ignore[index]
    assert [run["statement"] for run in kept["sql"]] == ["select 'ß'"]  # type: ignore[attr-defined]
    assert kept["decisions"] == notes["decisions"]
    assert kept["packages"] == notes["packages"] and kept["checkpoints"] == notes["checkpoints"]
    assert kept["evidence"] == evidence
    assert [c["check"] for c in kept["checks"]] == ["typecheck", "gate"]  # type: ignore[attr-defined]
    assert "It went well." in told[2].content


async def test_the_analysis_model_tells_it_and_its_tokens_count() -> None:
    steps = await compacted(long(9), 6, "The list was slow; an index mends it.")
    last = steps[-1]
    assert last.facts["by"] == "model" and last.usage.prompt_tokens == 50
    assert "an index mends it" in last.messages[0].content


@pytest.mark.parametrize("answer", ["", ModelError("down", retryable=False)])
async def test_without_an_answer_it_is_told_by_rule(answer: str | ModelError) -> None:
    steps = await compacted(long(9), 6, answer)
    assert steps[-1].facts["by"] == "rule"
    assert "step 3: Wrote f3" in steps[-1].messages[0].content


async def test_a_second_compaction_builds_on_the_first() -> None:
    steps = await compacted(long(9), 8, ModelError("down", retryable=False))
    steps += [step(n, ("search", "{}"), title=f"Looked {n}") for n in range(11, 15)]
    steps = await compacted(steps, 13, ModelError("down", retryable=False))
    told = conversation(HEAD, steps)
    assert "step 3: Wrote f3" in told[2].content and "step 12: Looked 12" in told[2].content
    assert told[3:] == steps[13].messages
    assert "Looked 12" in rendered(steps[:13])


class Meter:
    """A model with a window: counts what it is sent."""

    def __init__(self) -> None:
        self.prompts: list[Sequence[ChatMessage]] = []

    async def complete(self, request: CompletionRequest, on_text: object = None) -> Completion:
        raise ModelError("no analysis here", retryable=False)


async def test_between_two_compactions_the_prompt_only_grows_at_its_end() -> None:
    steps: list[Step] = []
    prompts: list[tuple[ChatMessage, ...]] = []
    compactions = 0
    for new in long(100):
        number = len(steps) + 1
        steps.append(new.model_copy(update={"number": number}))
        if through := cut(HEAD, steps, WINDOW):
            compactions += 1
            made = await compact(
                TASK, steps, Compaction(through, "full"), Mind(Meter(), "m", SystemClock())
            )
            steps.append(numbered(made, len(steps) + 1))
        prompts.append(conversation(HEAD, steps))
    assert 3 <= compactions <= 20
    grown = sum(b[: len(a)] == a for a, b in itertools.pairwise(prompts))
    assert grown == len(prompts) - 1 - compactions
    assert all(tokens(p) <= WINDOW.high + 1_000 for p in prompts)


def test_the_repeated_share_is_that_of_the_common_prefix() -> None:
    one = (*HEAD, ChatMessage(role=Role.USER, content="abcd"))
    two = (*HEAD, ChatMessage(role=Role.USER, content="abXX"))
    assert repeated((), one) == 0.0
    assert repeated(one, one) == 1.0
    assert repeated(one, two) == pytest.approx(4 / 6)
    assert repeated(HEAD, one) == pytest.approx(2 / 6)


def test_a_compaction_is_a_step_of_its_own_kind() -> None:
    made = step(9, kind=StepKind.COMPACTION, facts={"through": 8})
    steps = [*long(8), made]
    assert conversation(HEAD, steps) == (*HEAD, *made.messages)
