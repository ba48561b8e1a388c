"""Tools that read the work tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from fleet.generation.misses import numbered
from fleet.generation.path import in_scope
from fleet.generation.tools.search import Query, search
from fleet.generation.tools.tool import Arguments, Tool
from fleet.generation.workspace import Workspace

MAX_LISTED = 400
MAX_READ_LINES = 1_500
MAX_READ_CHARS = 50_000
_GLOB = 'A glob, like "src/**/*.tsx".'


class ListFiles(Arguments):
    pattern: str = Field(default="**", max_length=240, description=_GLOB)


class ReadFile(Arguments):
    path: str
    first_line: int = Field(default=1, ge=1, description="1-based.")
    last_line: int | None = Field(default=None, ge=1, description="Inclusive; null: to the end.")
    line_numbers: bool = Field(default=False, description='Show each line as "12| text".')


class Search(Arguments):
    text: str = Field(min_length=1, max_length=200, description="Literal, in any case.")
    files: str = Field(default="**", max_length=240, description=_GLOB)
    context: int = Field(default=0, ge=0, le=5, description="Lines to show around each match.")
    regex: bool = Field(default=False, description="`text` is a Python regular expression.")


def reading_tools(workspace: Workspace) -> list[Tool[Any]]:
    async def list_files(arguments: ListFiles) -> str:
        files = await workspace.files()
        return listing({p: t for p, t in files.items() if in_scope(p, [arguments.pattern])})

    async def read_file(arguments: ReadFile) -> str:
        return excerpt(await workspace.read(arguments.path), arguments)

    async def search_files(arguments: Search) -> str:
        texts = await workspace.text_files("")
        searched = {p: t for p, t in texts.items() if in_scope(p, [arguments.files])}
        return await search(Query(arguments.text, arguments.regex, arguments.context), searched)

    return [
        Tool("list_files", "List files with their sizes.", ListFiles, list_files),
        Tool("read_file", "Read a text file, or a range of its lines.", ReadFile, read_file),
        Tool("search", "Find lines in files, as path:line: text.", Search, search_files),
    ]


def listing(files: Mapping[str, str | None]) -> str:
    """A line per file; past the bound the files of a folder become one line."""
    if not files:
        return "No file matches."
    if len(files) <= MAX_LISTED:
        return "\n".join(_sized(path, text) for path, text in sorted(files.items()))
    folders: defaultdict[str, list[str | None]] = defaultdict(list)
    for path, text in files.items():
        folders["/".join(path.split("/")[:-1][:3])].append(text)
    lines = [
        f"{folder}/  {len(texts)} files, {sum(_bytes(t) for t in texts)} bytes"
        for folder, texts in sorted(folders.items())
    ]
    more = f"[{len(files)} files, shown by folder; narrow the pattern to see them]"
    return "\n".join([*lines[:MAX_LISTED], more])


def excerpt(text: str, wanted: ReadFile) -> str:
    """The lines asked for, as many as one answer takes; says so when they are not all."""
    lines = text.splitlines(keepends=True)
    first, asked = wanted.first_line, min(wanted.last_line or len(lines), len(lines))
    if first > len(lines) > 0:
        return f"[{wanted.path} has only {len(lines)} lines]"
    size, kept = 0, list[str]()
    for line in lines[first - 1 : min(asked, first + MAX_READ_LINES - 1)]:
        size += len(line)
        if kept and size > MAX_READ_CHARS:
            break
        kept.append(line)
    last = first - 1 + len(kept)
    body = "".join(kept)
    if wanted.line_numbers:
        body = numbered([line.rstrip("\r\n") for line in kept], first)
    if first == 1 and last == len(lines):
        return body
    more = f"; go on with first_line {last + 1}" if last < asked else ""
    return f"[lines {first} to {last} of {len(lines)}{more}]\n{body}"


def _sized(path: str, text: str | None) -> str:
    if text is None:
        return f"{path}  not text"
    return f"{path}  {_bytes(text)} bytes, {len(text.splitlines())} lines"


def _bytes(text: str | None) -> int:
    return len((text or "").encode())
