"""A gate's checks in the terminal: what each found, where, and the line that says why."""

from __future__ import annotations

from typing import Any

from rich.markup import escape

Json = dict[str, Any]

MAX_FINDINGS = 5
_MAX_EXCERPT_CHARS = 160
_CAUSE = "log: "  # before what the app's log says of a server error
_MARKS = {
    "passed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[dim]–[/]",
    "blocked": "[yellow]![/]",
    "cut": "[yellow]…[/]",
    "not_run": "[yellow]?[/]",
}


def check_lines(check: Json) -> str:
    """`check` has its name under "check"; its own findings, notes and time."""
    mark = _MARKS.get(str(check.get("outcome")), "?")
    took = f"{float(check.get('elapsed_s') or 0):.2f} s"
    if check.get("recalled"):
        took = "(unchanged, judged before)"
    lines = [f"  {mark} {one_line(check.get('check')):<10} [dim]{took}[/]"]
    if note := check.get("note"):
        lines.append(f"      [dim]{one_line(note)}[/]")
    findings = check.get("findings")
    found = [f for f in findings if isinstance(f, dict)] if isinstance(findings, list) else []
    for finding in found[:MAX_FINDINGS]:
        lines += _finding(finding)
    if len(found) > MAX_FINDINGS:
        lines.append(f"      [dim]and {len(found) - MAX_FINDINGS} more[/]")
    return "\n".join(lines)


def _finding(finding: Json) -> list[str]:
    where, message = one_line(finding.get("where")), one_line(finding.get("message"))
    if where and finding.get("line"):
        where = f"{where}:{finding['line']}"
    lines = [f"      [red]{where}[/] {message}" if where else f"      {message}"]
    if why := _telling(str(finding.get("excerpt") or ""), str(finding.get("message") or "")):
        lines.append(f"        [dim]{escape(why[:_MAX_EXCERPT_CHARS])}[/]")
    return lines


def _telling(excerpt: str, message: str) -> str:
    """The excerpt's line that adds most to the message: the log's cause, else the first new one."""
    lines = [" ".join(line.split()) for line in excerpt.splitlines()]
    cause = [line for line in lines if line.startswith(_CAUSE) and line != _CAUSE.strip()]
    said = " ".join(message.split())
    return next((line for line in (*cause, *lines) if line and line not in said), "")


def one_line(value: object) -> str:
    return escape(str(value or "").replace("\n", " "))
