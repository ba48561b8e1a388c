"""Searching the work tree. A regular expression runs in a process of its own, with a deadline:
a model's could run for ever, and would hold every build of this process meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.errors import InfrastructureError, InvalidInput

MAX_MATCHES = 100
MAX_LINE_CHARS = 240
REGEX_DEADLINE_S = 5.0
_CHILD = Path(__file__).parent / "regex_child.py"
_SKIPPED = "package-lock.json"


@dataclass(frozen=True)
class Query:
    """`around` lines are shown before and after each match."""

    text: str
    regex: bool = False
    around: int = 0


async def search(query: Query, files: Mapping[str, str]) -> str:
    """The matches as `path:line: text`, lines around them as `path-line- text`."""
    searched = {path: text for path, text in files.items() if path != _SKIPPED}
    found = await _regex(query.text, searched) if query.regex else _literal(query.text, searched)
    if not found:
        return "Nothing matches."
    shown = [
        line
        for path, numbers in found.items()
        for line in _shown(path, searched[path].splitlines(), numbers, query.around)
    ]
    count = sum(len(numbers) for numbers in found.values())
    if count >= MAX_MATCHES:
        shown.append(f"[the first {MAX_MATCHES} matches only; narrow it with `files`]")
    return "\n".join(shown)


def _literal(text: str, files: Mapping[str, str]) -> dict[str, list[int]]:
    """Line indices by path, in any case."""
    wanted, found, left = text.casefold(), dict[str, list[int]](), MAX_MATCHES
    for path, content in files.items():
        lines = enumerate(content.splitlines())
        numbers = [n for n, line in lines if wanted in line.casefold()][:left]
        if numbers:
            found[path] = numbers
            left -= len(numbers)
        if left <= 0:
            break
    return found


async def _regex(pattern: str, files: Mapping[str, str]) -> dict[str, list[int]]:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(
            f"The regular expression is not valid: {error}.",
            action="Mend it, or search for plain text.",
        ) from error
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", str(_CHILD)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    question = json.dumps({"pattern": pattern, "files": files, "limit": MAX_MATCHES})
    try:
        async with asyncio.timeout(REGEX_DEADLINE_S):
            answer, complaint = await child.communicate(question.encode())
    except TimeoutError:
        raise InvalidInput(
            f"The regular expression ran for more than {REGEX_DEADLINE_S:.0f} s.",
            action="Search for plain text, or without nested repetition.",
        ) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise InfrastructureError(f"The search failed: {complaint.decode()[-300:]}")
    found: dict[str, list[int]] = json.loads(answer)
    return found


def _shown(path: str, lines: Sequence[str], numbers: list[int], around: int) -> list[str]:
    matched, shown, last = set(numbers), list[str](), -1
    for number in numbers:
        start = max(number - around, last + 1, 0)
        if around and shown and start > last + 1:
            shown.append("--")
        for at in range(start, min(number + around, len(lines) - 1) + 1):
            mark = ":" if at in matched else "-"
            text = lines[at].rstrip()
            cut = (text if around else text.strip())[:MAX_LINE_CHARS]
            shown.append(f"{path}{mark}{at + 1}{mark} {cut}")
            last = at
    return shown
