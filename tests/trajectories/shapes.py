"""What the recorded models say: one script for each shape of a build."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.domain.chat import ChatMessage, Completion, FinishReason, Role, ToolCall, Usage
from tests.unit.generation_world import CLAIM, Call, plan, task, write

Said = Completion


def calls(*wanted: Call, text: str = "", finish: str = "tool_calls") -> Said:
    made = tuple(
        ToolCall(
            id=f"call_{index}",
            name=name,
            arguments=said if isinstance(said, str) else json.dumps(said),
        )
        for index, (name, said) in enumerate(wanted)
    )
    return _completion(ChatMessage(role=Role.ASSISTANT, content=text, tool_calls=made), finish)


def cut(*wanted: Call, ending: tuple[str, str]) -> Said:
    """Whole calls, then one whose arguments end in the middle."""
    whole = calls(*wanted, finish="length")
    name, arguments = ending
    last = ToolCall(id=f"call_{len(wanted)}", name=name, arguments=arguments)
    message = whole.message
    made = message.model_copy(update={"tool_calls": (*message.tool_calls, last)})
    return whole.model_copy(update={"message": made})


def text(words: str, finish: str = "stop", **fields: Any) -> Said:
    return _completion(ChatMessage(role=Role.ASSISTANT, content=words), finish, **fields)


def _completion(message: ChatMessage, finish: str, **fields: Any) -> Said:
    size = len(message.content) + sum(len(c.arguments) for c in message.tool_calls)
    usage = Usage(prompt_tokens=1_000, completion_tokens=10 + size // 4, completions=1)
    return Completion(message=message, finish=FinishReason(finish), usage=usage, **fields)


@dataclass(frozen=True)
class Shape:
    """`messages` are posted one after the other, the last build is recorded; `continues` is how
    often that one is continued after a spent budget. A script's last word is said again."""

    producer: Sequence[Said]
    architect: Sequence[Said] = ()
    analysis: Sequence[Said] = ()
    messages: Sequence[str] = ("A list of customers",)
    settings: dict[str, Any] = field(default_factory=dict)
    continues: int = 0
    end: str = "succeeded"
    problems: frozenset[str] = frozenset()


PAGE = "export function App() {\n  return <main>Customers</main>;\n}\n"
GOOD = write("src/App.tsx", PAGE)
BAD = write("src/App.tsx", "BAD\n")
DONE = (calls(GOOD), calls(CLAIM))
SORRY = "I'm sorry, but I can't help with building this application."
RAW = json.dumps({"name": GOOD[0], "arguments": GOOD[1]})
CUT = '{"path": "src/App.tsx", "content": "export function App() {\\n  return <ma'
THOUGHT = text("", "length", reasoning_chars=24_000)
SECOND = (task("The list", "src/**"), task("The server", "server/**"))


def _reads(count: int) -> list[Said]:
    """Looks at one file after the other, each time at other lines of it."""
    return [
        calls(write(f"src/part{n}.ts", f"export const part{n} = {n};\n" * 40)) for n in range(count)
    ]


SHAPES: dict[str, Shape] = {
    "simple-success": Shape(DONE),
    "red-then-mended": Shape((calls(BAD), calls(CLAIM), calls(GOOD, CLAIM))),
    "red-to-the-end": Shape(
        [calls(write("src/App.tsx", f"BAD {n}\n"), CLAIM) for n in range(5)], end="failed"
    ),
    "two-tasks": Shape(
        (calls(GOOD, CLAIM), calls(write("server/router.ts", "export {};\n"), CLAIM)),
        architect=(calls(plan(*SECOND)),),
    ),
    "plan-mended": Shape(
        DONE,
        architect=(
            calls(("list_files", {}), ("read_file", {"path": "src/App.tsx"})),
            calls(plan(tables=["order"])),
            calls(plan(tables=["orders"])),
        ),
    ),
    "raw-calls": Shape(
        (
            text(
                f"<think>A <tool_call>{RAW}</tool_call>?</think>I look.\n"
                '<tool_call>\n{"name": "list_files", "arguments": {}}\n</tool_call>'
            ),
            text("<function=search>\n<parameter=text>\nplaceholder\n</parameter>\n</function>"),
            text(f"Now the page:\n```json\n{RAW}\n```\nThat is it."),
            text('{"name": "claim_done", "parameters": {}}'),
        ),
        problems=frozenset({"raw_call"}),
    ),
    "truncated-arguments": Shape(
        (
            cut(write("src/part.ts", "export {};\n"), ending=("write_file", CUT)),
            text(f'<tool_call>{{"name": "write_file", "arguments": {CUT}', "length"),
            text("It is a long story. " * 20, "length"),
            *DONE,
        ),
        problems=frozenset({"truncated"}),
    ),
    "unknown-tools": Shape(
        (
            calls(("bash", {"command": "ls"}), ("read_fil", {"path": "src/App.tsx"})),
            calls(("functions.listFiles", {})),
            text('<tool_call>{"name": "shell", "arguments": {"command": "ls"}}</tool_call>'),
            *DONE,
        ),
        problems=frozenset({"unknown_tool"}),
    ),
    "wrong-types": Shape(
        (
            calls(("read_file", {"path": "src/App.tsx", "first_line": "1", "last_line": "1"})),
            calls(("read_file", {"file": "src/App.tsx"})),
            calls(("write_file", '{"path": "src/App.tsx", "content": "say "hi""}')),
            calls(("write_file", json.dumps(json.dumps(GOOD[1])))),
            calls(CLAIM),
        ),
        problems=frozenset({"wrong_types", "bad_json"}),
    ),
    "parallel-calls": Shape(
        (
            calls(GOOD, ("read_file", {"path": "no.ts"}), CLAIM),
            calls(("list_files", {}), ("search", {"text": "App"}), GOOD, CLAIM, ("list_files", {})),
        )
    ),
    "empty-answers": Shape((text(""), text("  \n"), *DONE), problems=frozenset({"empty"})),
    "endless-reasoning": Shape(
        (THOUGHT, text("<think>Hmm, maybe", "length"), *DONE), problems=frozenset({"reasoning"})
    ),
    "refusal-once": Shape((text(SORRY), *DONE), problems=frozenset({"refusal"})),
    "refusal-to-the-end": Shape(
        (text(SORRY), text("", "content_filter"), text("", refusal="I will not.")),
        end="failed",
        problems=frozenset({"refusal"}),
    ),
    "same-call-spiral": Shape((calls(("list_files", {})),), end="failed"),
    "undo-spiral": Shape(
        [calls(write("src/App.tsx", f"{'AB'[n % 2]}\n")) for n in range(40)], end="failed"
    ),
    "same-evidence-spiral": Shape(
        (calls(BAD, CLAIM), *[calls(write("src/x.ts", f"{n}\n"), CLAIM) for n in range(9)]),
        settings={"max_task_attempts": 9},
        end="failed",
    ),
    "out-of-budget": Shape(_reads(9), settings={"max_steps": 4}, end="out_of_budget"),
    "out-of-budget-continued": Shape((*_reads(4), *DONE), settings={"max_steps": 5}, continues=1),
    "compacted": Shape(
        (*_reads(9), *DONE),
        analysis=(text("Parts 0 to 4 are written."), text("")),
        settings={"context_high_tokens": 2_600, "context_low_tokens": 1_600},
    ),
    "follow-up": Shape(
        (
            *DONE,
            calls(
                ("edit_file", {"path": "src/App.tsx", "old": "Customers", "new": "Clients"}), CLAIM
            ),
        ),
        messages=("A list of customers", "Call them clients"),
    ),
    "packages-and-notes": Shape(
        (
            calls(
                ("note_decision", {"text": "Rows are kept in one table."}),
                ("take_checkpoint", {"reason": "before anything is changed"}),
                ("add_package", {"names": "zod"}),
                ("run_sql", {"sql": "drop table customers", "write": "true"}),
            ),
            calls(write("README.md", "# Customers\n")),
            calls(
                (
                    "write_file",
                    {
                        "path": "README.md",
                        "content": "# Customers\n",
                        "reason_outside_scope": "The page's name has to stand in the read-me too.",
                    },
                )
            ),
            *DONE,
        ),
        architect=(calls(plan(task("The list", "src/**"))),),
        problems=frozenset({"wrong_types"}),
    ),
    "live-tools": Shape(
        (
            calls(
                GOOD,
                ("typecheck", {}),
                ("run_tests", {"name": "customers"}),
                ("run_sql", {"sql": "select 1"}),
            ),
            calls(("run_tests", {"name": None})),
            calls(CLAIM),
        ),
        problems=frozenset({"wrong_types"}),
    ),
}
