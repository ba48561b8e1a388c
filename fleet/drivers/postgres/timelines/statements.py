"""Splits a SQL file into statements, as psql does, so that a failing one can be named by line."""

from __future__ import annotations

import re
from dataclasses import dataclass

# One token at a time: everything inside which a semicolon does not end a statement.
_TOKEN = re.compile(
    r"""
      (?P<line_comment>--[^\n]*)
    | (?P<block_comment>/\*)
    | (?P<escape_string>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    | (?P<string>'(?:[^']|'')*(?:'|\Z))
    | (?P<name>"(?:[^"]|"")*(?:"|\Z))
    | (?P<dollar>\$(?:[A-Za-z_\x80-\uffff][A-Za-z0-9_\x80-\uffff]*)?\$)
    | (?P<word>[A-Za-z_\x80-\uffff][A-Za-z0-9_$\x80-\uffff]*)
    | (?P<space>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
TRANSACTION_WORDS = frozenset(
    ["begin", "commit", "rollback", "start", "end", "abort", "savepoint", "release"]
)


@dataclass(frozen=True)
class Statement:
    """`sql` starts at its first word, which is on `line` (1-based); `word` is it in lower case."""

    sql: str
    line: int
    word: str


def split_statements(text: str) -> list[Statement]:
    found: list[Statement] = []
    words: list[str] = []
    start, position, parentheses, blocks = -1, 0, 0, 0
    while (match := _TOKEN.match(text, position)) is not None:
        kind, token, position = match.lastgroup, match[0], match.end()
        if kind == "block_comment":
            position = _end_of_comment(text, position)
        if kind in ("line_comment", "block_comment", "space"):
            continue
        if kind == "other" and token == ";" and parentheses <= 0 and blocks == 0:
            if start >= 0:
                found.append(_statement(text, start, match.start(), words))
            start, parentheses, words = -1, 0, []
            continue
        if start < 0:
            start = match.start()
        if kind == "dollar":
            end = text.find(token, position)
            position = len(text) if end < 0 else end + len(token)
        elif kind == "word":
            words.append(token.lower())
            blocks += _block_change(words, blocks)
        elif kind == "other":
            parentheses += (token == "(") - (token == ")")
    if start >= 0:
        found.append(_statement(text, start, len(text), words))
    return found


def _statement(text: str, start: int, end: int, words: list[str]) -> Statement:
    return Statement(
        sql=text[start:end].rstrip(),
        line=text.count("\n", 0, start) + 1,
        word=words[0] if words else "",
    )


def _block_change(words: list[str], blocks: int) -> int:
    """SQL-standard routine bodies (BEGIN ATOMIC … END) hold semicolons of their own."""
    if words[0] != "create":
        return 0
    if words[-2:] == ["begin", "atomic"]:
        return 1
    if blocks and words[-1] == "case":
        return 1
    return -1 if blocks and words[-1] == "end" else 0


def _end_of_comment(text: str, position: int) -> int:
    depth = 1
    while depth and (edge := _BLOCK_EDGE.search(text, position)) is not None:
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position if depth == 0 else len(text)
