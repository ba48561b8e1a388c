"""What keeps the compiler from looking: its settings relaxed, or comments that silence it. Pure.

A green compiler means nothing for a file that it was told not to check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tree_sitter import Node

from fleet.domain.verdict import Finding
from fleet.verification.evidence import finding
from fleet.verification.modules import CODE_SUFFIXES, TEST_PATH, parse
from fleet.verification.tsconfig import TSCONFIG, compiler_options, read_tsconfig

# What `strict` stands for (typescriptlang.org/tsconfig#strict), each of which can be taken back.
_PARTS_OF_STRICT = (
    "alwaysStrict",
    "noImplicitAny",
    "noImplicitThis",
    "strictBindCallApply",
    "strictBuiltinIteratorReturn",
    "strictFunctionTypes",
    "strictNullChecks",
    "strictPropertyInitialization",
    "useUnknownInCatchVariables",
)
_NOT_CODE = frozenset({"node_modules", "dist"})
# As the compiler reads them: first in their comment.
_SILENCER = re.compile(r"^(?:///?|/\*+)[\s*]*@ts-(nocheck|ignore|expect-error)\b")


def examine_strictness(files: Mapping[str, str], scaffold: Mapping[str, str]) -> list[Finding]:
    """`files` and `scaffold` map paths relative to the app's folder to texts."""
    findings = list(_relaxed(files, read_tsconfig(scaffold)))
    for path in sorted(files):
        if path.endswith(CODE_SUFFIXES) and "@ts-" in files[path]:
            findings += _silenced(path, files[path])
    return findings


def _relaxed(files: Mapping[str, str], scaffold: Mapping[str, Any]) -> Iterator[Finding]:
    tsconfig = read_tsconfig(files)
    options, expected = compiler_options(tsconfig), compiler_options(scaffold)
    wanted = [name for name, value in expected.items() if value is True]
    wrong = [name for name in wanted if tsconfig and options.get(name) is not True]
    wrong += [name for name in _PARTS_OF_STRICT if options.get(name) is False]
    for name in wrong:
        yield _told(files, name, f'"{name}" must stay as in the template, true.')
    if options.get("noCheck") is True:
        yield _told(files, "noCheck", '"noCheck" keeps the compiler from checking; remove it.')
    included = _words(tsconfig.get("include"))
    left_out = [folder for folder in _words(scaffold.get("include")) if folder not in included]
    if tsconfig and left_out:
        folders = ", ".join(left_out)
        yield _told(files, "include", f'"include" must name {folders}, as in the template.')
    hidden = [p for p in _words(tsconfig.get("exclude")) if p.strip("./*") not in _NOT_CODE]
    if hidden:
        yield _told(files, "exclude", f'"exclude" hides {", ".join(hidden)} from the compiler.')


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def _told(files: Mapping[str, str], key: str, message: str) -> Finding:
    lines = files[TSCONFIG].splitlines()
    line = next((n for n, text in enumerate(lines, 1) if f'"{key}"' in text), 0)
    shown = lines[line - 1].strip() if line else ""
    return finding(TSCONFIG, "compiler-relaxed", message, line=line, shown=shown)


def _silenced(path: str, text: str) -> Iterator[Finding]:
    for comment in _comments(parse(path, text)):
        said = (comment.text or b"").decode(errors="replace")
        match = _SILENCER.match(said)
        # A test may well pass what no type allows, and see it refused.
        if match is None or (match[1] == "expect-error" and TEST_PATH.search(path)):
            continue
        what = "this file" if match[1] == "nocheck" else "the next line"
        message = f"@ts-{match[1]} hides the type errors of {what}; remove it and mend them."
        line = comment.start_point.row + 1
        yield finding(path, "compiler-silenced", message, line=line, shown=said)


def _comments(node: Node) -> Iterator[Node]:
    if node.type == "comment":
        yield node
    for child in node.children:
        yield from _comments(child)
