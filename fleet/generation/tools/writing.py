"""Tools that change the work tree; leaving the task's file scope is noted with its reason."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from fleet.generation.path import MIN_REASON_CHARS, checked_path
from fleet.generation.tools.notes import Notes
from fleet.generation.tools.tool import Arguments, Tool
from fleet.generation.workspace import Edit, Workspace

_MAX_LINES_TOLD = 20


_Reason = Annotated[
    str,
    Field(
        max_length=500,
        description="Only for a path outside the task's scope: why the task needs it, in at least "
        f"{MIN_REASON_CHARS} characters. It is recorded.",
    ),
]


class WriteFile(Arguments):
    path: str
    content: str = Field(description="The whole new text of the file.")
    reason_outside_scope: _Reason = ""


class EditFile(Arguments):
    path: str
    old: str = Field(description="The exact present passage; it must stand there exactly once.")
    new: str
    replace_all: bool = Field(default=False, description="Replace every place where `old` stands.")
    reason_outside_scope: _Reason = ""


class DeleteFile(Arguments):
    path: str
    reason_outside_scope: _Reason = ""


class MoveFile(Arguments):
    path: str
    to: str = Field(description="The new path; no file may stand there.")
    reason_outside_scope: _Reason = ""


def writing_tools(workspace: Workspace, notes: Notes) -> list[Tool[Any]]:
    async def note(reason: str, *paths: str) -> str:
        """Notes each path outside the scope, once it is changed; answers what to add."""
        outside = [checked_path(p) for p in paths if await workspace.is_outside(p)]
        for path in outside:
            notes.scope_exit(path, reason.strip())
        return " It is outside the task's scope; the reason is recorded." if outside else ""

    async def write_file(arguments: WriteFile) -> str:
        path, content, reason = arguments.path, arguments.content, arguments.reason_outside_scope
        if not await workspace.write(path, content, reason):
            notes.confirmed(checked_path(path), content)
            return "Unchanged: it is so already."
        noted = await note(reason, path)
        lines = len(content.splitlines())
        return f"Wrote {path} ({len(content.encode())} bytes, {lines} lines).{noted}"

    async def edit_file(arguments: EditFile) -> str:
        edit = Edit(arguments.old, arguments.new, arguments.replace_all)
        lines = await workspace.edit(arguments.path, edit, arguments.reason_outside_scope)
        noted = await note(arguments.reason_outside_scope, arguments.path)
        if len(lines) == 1:
            return f"Edited {arguments.path} at line {lines[0]}.{noted}"
        shown = ", ".join(map(str, lines[:_MAX_LINES_TOLD]))
        return f"Edited {arguments.path} at {len(lines)} places: lines {shown}.{noted}"

    async def delete_file(arguments: DeleteFile) -> str:
        await workspace.delete(arguments.path, arguments.reason_outside_scope)
        return (
            f"Deleted {arguments.path}.{await note(arguments.reason_outside_scope, arguments.path)}"
        )

    async def move_file(arguments: MoveFile) -> str:
        await workspace.move(arguments.path, arguments.to, arguments.reason_outside_scope)
        noted = await note(arguments.reason_outside_scope, arguments.path, arguments.to)
        return f"Moved {arguments.path} to {arguments.to}; imports of it are yours to mend.{noted}"

    return [
        Tool("write_file", "Create a file or replace its whole text.", WriteFile, write_file),
        Tool("edit_file", "Replace an exact passage of a file.", EditFile, edit_file),
        Tool("delete_file", "Delete a file.", DeleteFile, delete_file),
        Tool("move_file", "Move or rename a file.", MoveFile, move_file),
    ]
