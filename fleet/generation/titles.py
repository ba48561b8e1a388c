"""A producer step's title: what its calls came to, in a short line for a person. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.domain.chat import ToolCall
from fleet.domain.progress import StepNotes
from fleet.generation.limits import CHANGING
from fleet.generation.tools.tool import ToolResult

MAX_TITLE_CHARS = 150
_MAX_OBJECT_CHARS = 60
_SHOWN = 2
Results = Sequence[tuple[ToolCall, ToolResult]]
Writes = Mapping[str, str | None]
_Values = dict[str, Any]

# What a call that ran is said to have done, given what it was asked for.
_DONE: dict[str, Callable[[_Values], str]] = {
    "list_files": lambda v: f"Listed {_pattern(v)}",
    "read_file": lambda v: f"Read {_short(v.get('path'))}",
    "search": lambda v: f"Searched “{_short(v.get('text'))}”",
    "run_sql": lambda v: f"Ran SQL: {_short(v.get('sql'))}",
    "show_schema": lambda v: f"Looked at the tables of {_short(v.get('database', 'dev'))}",
    "typecheck": lambda v: "Checked the types",
    "run_tests": lambda v: f"Ran tests {_short(v.get('file') or v.get('name'))}".rstrip(),
    "call_procedure": lambda v: f"Called {_short(v.get('name'))}",
    "open_page": lambda v: f"Opened {_short(v.get('path', '/'))}",
    "read_logs": lambda v: f"Read the logs of the {_short(v.get('source', 'app'))}",
    "note_decision": lambda v: f"Noted: {_short(v.get('text'))}",
    "take_checkpoint": lambda v: f"Took a checkpoint: {_short(v.get('reason'))}",
    "list_checkpoints": lambda v: "Listed the checkpoints",
    "add_package": lambda v: f"Added {_short(_listed(v.get('names')))}",
    "remove_package": lambda v: f"Removed {_short(_listed(v.get('names')))}",
}
_WRITING = {"write_file", "edit_file", "delete_file", "move_file"}
# By which a call that did not run is told apart, in this order.
_OBJECTS = ("path", "sql", "text", "name", "names", "file", "pattern", "reason")
_CHECKS = {"typecheck": "typecheck", "run_tests": "tests"}  # tool, its check in the notes


def title_of(results: Results, writes: Writes, notes: StepNotes, *, claimed: bool) -> str:
    if writes:
        first, *others = writes
        verb = "Deleted" if writes[first] is None else "Wrote"
        title = f"{verb} {first}" + (f" and {len(others)} more" if others else "")
        return f"{title}, claimed done" if claimed else title
    if claimed:
        return "Claimed done"
    told = list(dict.fromkeys(_told(call, result, notes) for call, result in results))
    if not told:
        return "Answered without a tool"
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return _short("; ".join(told[:_SHOWN]), MAX_TITLE_CHARS - len(more)) + more


def _told(call: ToolCall, result: ToolResult, notes: StepNotes) -> str:
    values, name = _values(call), _short(call.name)
    if result.failed:
        refused = name in CHANGING or result.content.startswith("Error: not run")
        return f"{'Refused' if refused else 'Failed'}: {name} {_object(values)}".rstrip()
    if name in _WRITING:
        return f"Nothing changed in {_short(values.get('path'))}"
    done = _DONE[name](values) if name in _DONE else f"{name} {_object(values)}".rstrip()
    ran = [run.passed for run in notes.checks if run.check == _CHECKS.get(name)]
    return f"{done}: {'passed' if ran[-1] else 'failed'}" if ran else done


def _values(call: ToolCall) -> _Values:
    """What the model sent; it need not be JSON."""
    try:
        value = json.loads(call.arguments)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _object(values: _Values) -> str:
    found = next((values[key] for key in _OBJECTS if values.get(key)), "")
    return _short(_listed(found))


def _pattern(values: _Values) -> str:
    pattern = _short(values.get("pattern"))
    return "the files" if pattern in ("", "**") else pattern


def _listed(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _short(value: Any, limit: int = _MAX_OBJECT_CHARS) -> str:
    text = " ".join(str(value or "").split())
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
