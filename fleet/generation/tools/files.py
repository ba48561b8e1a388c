"""Tools over the work tree."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from fleet.generation.path import in_scope
from fleet.generation.tools.tool import Arguments, Tool
from fleet.generation.workspace import MAX_MATCHES, Workspace

MAX_LISTED = 500
MAX_READ_LINES = 1_500


class ListFiles(Arguments):
    pattern: str = Field(default="**", max_length=240, description='A glob, like "src/**/*.tsx".')


class ReadFile(Arguments):
    path: str
    first_line: int = Field(default=1, ge=1, description="1-based.")
    last_line: int | None = Field(default=None, ge=1, description="Inclusive; null: to the end.")


class Search(Arguments):
    text: str = Field(min_length=1, max_length=200, description="Literal, in any case.")
    folder: str = Field(default="", description='Only below this folder, like "src/".')


class WriteFile(Arguments):
    path: str
    content: str = Field(description="The whole new text of the file.")


class EditFile(Arguments):
    path: str
    old: str = Field(description="The exact present passage; it must stand there exactly once.")
    new: str


class DeleteFile(Arguments):
    path: str


def reading_tools(workspace: Workspace) -> list[Tool[Any]]:
    async def list_files(arguments: ListFiles) -> str:
        paths = [p for p in await workspace.paths() if in_scope(p, [arguments.pattern])]
        if not paths:
            return "No file matches."
        more = len(paths) - MAX_LISTED
        tail = [f"[{more} more; narrow the pattern]"] if more > 0 else []
        return "\n".join(paths[:MAX_LISTED] + tail)

    async def read_file(arguments: ReadFile) -> str:
        text = await workspace.read(arguments.path)
        lines = text.splitlines(keepends=True)
        first, last = arguments.first_line, min(arguments.last_line or len(lines), len(lines))
        last = min(last, first + MAX_READ_LINES - 1)
        if first == 1 and last == len(lines):
            return text
        return f"[lines {first} to {last} of {len(lines)}]\n{''.join(lines[first - 1 : last])}"

    async def search(arguments: Search) -> str:
        found = await workspace.search(arguments.text, arguments.folder)
        if not found:
            return "Nothing matches."
        tail = [f"[the first {MAX_MATCHES} only]"] if len(found) >= MAX_MATCHES else []
        return "\n".join([f"{m.path}:{m.line}: {m.text}" for m in found] + tail)

    return [
        Tool("list_files", "List the project's files.", ListFiles, list_files),
        Tool("read_file", "Read a text file, or a range of its lines.", ReadFile, read_file),
        Tool("search", "Find lines that hold a text, as path:line: line.", Search, search),
    ]


def writing_tools(workspace: Workspace) -> list[Tool[Any]]:
    async def write_file(arguments: WriteFile) -> str:
        changed = await workspace.write(arguments.path, arguments.content)
        size = len(arguments.content.encode())
        return (
            f"Wrote {arguments.path} ({size} bytes)." if changed else "Unchanged: it is so already."
        )

    async def edit_file(arguments: EditFile) -> str:
        line = await workspace.edit(arguments.path, arguments.old, arguments.new)
        return f"Edited {arguments.path} at line {line}."

    async def delete_file(arguments: DeleteFile) -> str:
        await workspace.delete(arguments.path)
        return f"Deleted {arguments.path}."

    return [
        Tool("write_file", "Create a file or replace its whole text.", WriteFile, write_file),
        Tool("edit_file", "Replace one exact, unique passage of a file.", EditFile, edit_file),
        Tool("delete_file", "Delete a file.", DeleteFile, delete_file),
    ]
