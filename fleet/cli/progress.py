"""A build in the terminal: each event becomes a line, as it happens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fleet.cli.spending import left_words, spent_words, step_words

Json = dict[str, Any]

_MARKS = {
    "passed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[dim]–[/]",
    "blocked": "[yellow]![/]",
    "cut": "[yellow]…[/]",
    "not_run": "[yellow]?[/]",
}
MAX_FINDINGS = 5
# What was done about a build that runs in circles.
_BREAKS = {
    "message": "it was told so",
    "forced": "it may only use the tools that help",
    "fresh": "it begins afresh with what is known",
    "failed": "the task is given up",
}


def line_of(event: Json) -> str | None:
    """Rich markup for one event, None for those a person need not see."""
    kind, data = event["kind"], event["payload"]
    match kind:
        case "build.started":
            return "[dim]resumed after an interruption[/]" if data.get("resumed") else None
        case "plan.ready":
            parts = [
                f"{len(data.get(name, []))} {name}"
                for name in ("tasks", "procedures", "tables", "pages")
                if data.get(name)
            ]
            return f"[bold]plan[/]  {_text(data.get('title'))}  [dim]{', '.join(parts)}[/]"
        case "task.started":
            return f"[bold]task[/]  {_text(data.get('title'))}  [dim]{_of(data)}[/]"
        case "step.finished":
            spent = step_words(data)
            return (
                f"  [dim]step {data.get('number')}  {_text(data.get('title'))}"
                f"{f'  ({spent})' if spent else ''}[/]"
            )
        case "check.finished":
            return _check(data)
        case "task.reopened":
            return f"  [yellow]reopened[/] with the evidence, attempt {data.get('attempt')}"
        case "task.failed":
            return f"  [red]failed[/] {_text(data.get('reason'))}"
        case "app.ready":
            return f"[bold green]running[/]  {_text(data.get('preview_url'))}"
        case "notice":
            return f"  [yellow]{_text(data.get('text'))}[/]"
        case _:
            return _rare(str(kind), data)


def _rare(kind: str, data: Json) -> str | None:
    """What most builds never have."""
    match kind:
        case "gate.finished":
            return "  [green]✓[/] unchanged since it was verified" if data.get("cached") else None
        case "build.continued":
            known = f"{data.get('steps')} steps and {data.get('tasks_done')} tasks done"
            return f"[bold]continued[/] with a fresh budget, after {known}"
        case "context.compacted":
            return f"  [dim]earlier steps condensed: {_text(data.get('why'))}[/]"
        case "scope.left":
            return (
                f"  [yellow]outside its files[/] {_text(data.get('path'))}: "
                f"{_text(data.get('reason'))}"
            )
        case "checkpoint.taken":
            reason = _text(data.get("reason")) or "before risky SQL"
            return f"  [dim]checkpoint {_text(data.get('checkpoint'))}: {reason}[/]"
        case "packages.changed":
            packages = data.get("packages")
            names = packages if isinstance(packages, list) else []
            return f"  [dim]packages {_text(' '.join(str(n) for n in names))}[/]"
        case _ if kind.startswith("spiral."):
            done = _BREAKS.get(str(data.get("level")), "")
            return f"  [yellow]in circles[/]: {_text(data.get('text'))}; [yellow]{done}[/]"
        case _:
            return None


def _check(data: Json) -> str:
    mark = _MARKS.get(str(data.get("outcome")), "?")
    elapsed = float(data.get("elapsed_s") or 0)
    lines = [f"  {mark} {_text(data.get('check')):<10} [dim]{elapsed:.2f} s[/]"]
    if note := data.get("note"):
        lines.append(f"      [dim]{_text(note)}[/]")
    findings = data.get("findings")
    if isinstance(findings, list):
        for finding in findings[:MAX_FINDINGS]:
            if isinstance(finding, dict):
                where, message = _text(finding.get("where")), _text(finding.get("message"))
                lines.append(f"      [red]{where}[/] {message}")
    return "\n".join(lines)


def _of(data: Json) -> str:
    return f"{data['position']}/{data['of']}" if data.get("of") else ""


def _text(value: object) -> str:
    return escape(str(value or "").replace("\n", " "))


def show_events(console: Console, events: Iterable[Json]) -> None:
    for event in events:
        line = line_of(event)
        if line is not None:
            console.print(line, highlight=False)


@dataclass(frozen=True)
class Places:
    """Where artefacts are: the API's address, and their folder where it is on this machine."""

    url: str
    folder: Path


def _artefact(shown: Json, places: Places) -> str:
    file = places.folder / str(shown["path"])
    local = f"  {_text(file)}" if file.is_file() else ""
    name, url = _text(shown["page"] or file.name), _text(shown["url"])
    return f"      [dim]{name}[/]  {places.url}{url}{local}"


def show_result(console: Console, result: Json, places: Places) -> None:
    """A build after the fact: what came of it, what was checked, where it runs."""
    show_ending(console, result)
    verdicts = result.get("verdicts") or [{}]
    if judged := verdicts[-1].get("cached_from"):
        console.print(f"  [dim]nothing had changed: judged by {_text(judged)}[/]", highlight=False)
    for check in result.get("checks", []):
        console.print(_check({**check, "check": check["name"]}), highlight=False, soft_wrap=True)
        for shown in check["shown"]:
            console.print(_artefact(shown, places), highlight=False, soft_wrap=True)
    app = result.get("app")
    if app and result["state"] == "succeeded":
        console.print(f"\n[bold]{_text(app['preview_url'])}[/]", highlight=False)
    console.print(f"[dim]project {result['project']}  build {result['build']}[/]", highlight=False)


def show_ending(console: Console, result: Json) -> None:
    """The last lines under a build's own progress."""
    state = str(result["state"])
    colour = {"succeeded": "green", "queued": "yellow"}.get(state, "red")
    elapsed = float(result.get("elapsed_s") or 0)
    console.print(f"\n[bold {colour}]{state}[/] in {elapsed:.1f} s", highlight=False)
    if result.get("explanation"):
        console.print(_text(result["explanation"]), highlight=False)
    if spending := result.get("spending"):
        console.print(f"[dim]{spent_words(spending)}[/]", highlight=False)
        if state != "succeeded" and (left := left_words(spending)):
            console.print(f"[dim]left of the budget: {left}[/]", highlight=False)


def show_owner(console: Console, usage: Json) -> None:
    """Only where the owner has a bound: what all builds spent in the period, what is left."""
    if left := left_words(usage):
        since = str(usage["since"])[:16].replace("T", " ")
        console.print(f"spent since {since}: {spent_words(usage)}", highlight=False)
        console.print(f"left of the owner's budget: {left}", highlight=False)


def show_projects(console: Console, projects: list[Json]) -> None:
    if not projects:
        console.print('No projects yet. Make one: appfleet new "a CRM with customers and deals"')
        return
    table = Table(box=None, pad_edge=False)
    for column in ("project", "title", "made", "preview"):
        table.add_column(column)
    for project in projects:
        url = project["apps"][0]["preview_url"] if project["head"] else "not built yet"
        made = str(project["created_at"])[:16].replace("T", " ")
        table.add_row(project["id"], escape(project["title"]), made, url)
    console.print(table)
