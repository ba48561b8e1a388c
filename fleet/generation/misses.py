"""What a model probably meant when what it named is not there. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

_MAX_LINES = 5_000
_MAX_PASSAGE_LINES = 40
_MAX_LINE_CHARS = 400
_AROUND = 3
_CLOSE = 0.6


def similar(path: str, paths: Sequence[str]) -> str:
    close = difflib.get_close_matches(path, paths, n=3, cutoff=0.5)
    if not close:
        name = path.rpartition("/")[2]
        close = [p for p in paths if p.rpartition("/")[2] == name][:3]
    return f"Did you mean {' or '.join(close)}?" if close else "See list_files for what there is."


def nearest(text: str, old: str) -> str:
    """The passage that `old` probably meant, with line numbers, so that the next try succeeds."""
    lines = text.splitlines()[:_MAX_LINES]
    wanted = [line.strip() for line in old.strip("\n").splitlines()][:_MAX_PASSAGE_LINES]
    stripped = [line.strip() for line in lines]
    best, same = _best_window(stripped, wanted)
    if best >= 0 and same == len(wanted):
        shown = _shown(lines, best, len(wanted))
        return f"Only the white space differs. The passage reads:\n{shown}"
    if best >= 0:
        shown = _shown(lines, best - 1, len(wanted) + 2)
        return f"The nearest passage ({same} of {len(wanted)} lines are the same) reads:\n{shown}"
    longest = max(wanted, key=len, default="")
    close = difflib.get_close_matches(longest, stripped, n=1, cutoff=_CLOSE)
    if close:
        at = stripped.index(close[0])
        shown = _shown(lines, at - _AROUND, 2 * _AROUND + 1)
        return f"The nearest passage reads:\n{shown}"
    return "Read the file again and copy the passage exactly."


def _best_window(lines: Sequence[str], wanted: Sequence[str]) -> tuple[int, int]:
    """Where most of the wanted lines stand in place, and how many; -1 for nowhere.

    Only windows are looked at in which some wanted line that says something stands in its place.
    """
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        places.setdefault(line, []).append(number)
    starts = {
        place - offset
        for offset, line in enumerate(wanted)
        if len(line) >= 3
        for place in places.get(line, ())[:50]
        if place >= offset
    }
    best, same = -1, 0
    for start in sorted(starts):
        count = sum(a == b for a, b in zip(lines[start:], wanted, strict=False))
        if count > same:
            best, same = start, count
    return best, same


def numbered(lines: Sequence[str], first: int) -> str:
    """Each line after its number, `first` for the first of them."""
    width = len(str(first + len(lines)))
    return "\n".join(f"{n:>{width}}| {line}" for n, line in enumerate(lines, first))


def _shown(lines: Sequence[str], start: int, count: int) -> str:
    start = max(0, start)
    cut = [line[:_MAX_LINE_CHARS] for line in lines[start : start + count]]
    return numbered(cut, start + 1)
