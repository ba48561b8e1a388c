"""A build in the terminal: each event becomes a line, as it happens."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from fleet.cli.checks import check_lines, one_line
from fleet.cli.spending import left_words, spent_words, step_name, step_words

Json = dict[str, Any]

_MAX_REASON_CHARS = 160
_MAX_LINE_CHARS = 120
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
            return f"[bold]plan[/]  {one_line(data.get('title'))}  [dim]{', '.join(parts)}[/]"
        case "task.started":
            return f"[bold]task[/]  {one_line(data.get('title'))}  [dim]{_of(data)}[/]"
        case "step.finished":
            spent = step_words(data)
            return (
                f"  [dim]{step_name(data)}{one_line(data.get('title'))}"
                f"{f'  ({spent})' if spent else ''}[/]"
            )
        case "check.finished":
            return check_lines(data)
        case "task.reopened":
            return f"  [yellow]reopened[/] with the evidence, attempt {data.get('attempt')}"
        case "task.failed":
            return f"  [red]given up[/]: {one_line(_short(str(data.get('reason') or '')))}"
        case "app.ready":
            return f"[bold green]running[/]  {one_line(data.get('preview_url'))}"
        case "notice":
            return f"  [yellow]{one_line(data.get('text'))}[/]"
        case _:
            return _rare(str(kind), data)


def _rare(kind: str, data: Json) -> str | None:
    """What most builds never have."""
    match kind:
        case "build.continued":
            known = f"{data.get('steps')} steps and {data.get('tasks_done')} tasks done"
            return f"[bold]continued[/] with a fresh budget, after {known}"
        case "context.compacted":
            return f"  [dim]earlier steps condensed: {one_line(data.get('why'))}[/]"
        case "scope.left":
            return (
                f"  [yellow]outside its files[/] {one_line(data.get('path'))}: "
                f"{one_line(data.get('reason'))}"
            )
        case "checkpoint.taken":
            reason = one_line(data.get("reason")) or "before risky SQL"
            return f"  [dim]checkpoint {one_line(data.get('checkpoint'))}: {reason}[/]"
        case "packages.changed":
            packages = data.get("packages")
            names = packages if isinstance(packages, list) else []
            return f"  [dim]packages {one_line(' '.join(str(n) for n in names))}[/]"
        case _ if kind.startswith("spiral."):
            done = _BREAKS.get(str(data.get("level")), "")
            return f"  [yellow]in circles[/]: {one_line(data.get('text'))}; [yellow]{done}[/]"
        case _:
            return None


def _short(reason: str) -> str:
    """A diagnosis's first clause: it stands in full below the build."""
    first, more, _ = reason.partition("; ")
    return textwrap.shorten(first, _MAX_REASON_CHARS, placeholder="…") + (" …" if more else "")


def _of(data: Json) -> str:
    return f"{data['position']}/{data['of']}" if data.get("of") else ""


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
    """A picture's file where it is on this machine and shorter, else its address."""
    file = places.folder / str(shown["path"])
    url = f"{places.url}{shown['url']}"
    place = str(file) if len(str(file)) <= len(url) and file.is_file() else url
    name = one_line(shown["page"] or file.name)
    apart = "\n  " if 6 + len(name) + 2 + len(place) > _MAX_LINE_CHARS else "  "
    return f"      [dim]{name}[/]{apart}{one_line(place)}"


def show_result(console: Console, result: Json, places: Places) -> None:
    """A build after the fact: what came of it, what was checked, where it runs."""
    show_ending(console, result, name=str(result["build"]))
    verdicts = result.get("verdicts") or [{}]
    judged = verdicts[-1].get("cached_from")
    if judged:
        console.print(
            f"  [dim]nothing had changed: judged by {one_line(judged)}[/]", highlight=False
        )
    for check in result.get("checks", []):
        told = {**check, "check": check["name"], "recalled": bool(judged)}
        console.print(check_lines(told), highlight=False, soft_wrap=True)
        for shown in check["shown"]:
            console.print(_artefact(shown, places), highlight=False, soft_wrap=True)
    app = result.get("app")
    if app and result["state"] == "succeeded":
        console.print(f"\n[bold]{one_line(app['preview_url'])}[/]", highlight=False)


def show_ending(console: Console, result: Json, name: str = "") -> None:
    """The last lines under a build's own progress, or with its `name` the first about it."""
    state = str(result["state"])
    colour = {"succeeded": "green", "queued": "yellow"}.get(state, "red")
    head = f"[dim]build {one_line(name)}[/]  " if name else ""
    elapsed = float(result.get("elapsed_s") or 0)
    took = "" if state == "queued" else f" in {elapsed:.1f} s"
    console.print(f"\n{head}[bold {colour}]{_words(state)}[/]{took}", highlight=False)
    if result.get("explanation"):
        console.print(one_line(result["explanation"]), highlight=False)
    if spending := result.get("spending"):
        console.print(f"[dim]{spent_words(spending)}[/]", highlight=False)
        if state != "succeeded" and (left := left_words(spending)):
            console.print(f"[dim]left of the budget: {left}[/]", highlight=False)


def _words(state: str) -> str:
    return state.replace("_", " ")


def show_owner_left(console: Console, usage: Json) -> None:
    """Nothing where the owner has no bound."""
    if left := left_words(usage):
        console.print(f"[dim]left of the owner's budget: {left}[/]", highlight=False)


def show_usage(console: Console, usage: Json) -> None:
    """What all of an owner's builds spent in the period, and what is left where it is bounded."""
    since = str(usage["since"])[:16].replace("T", " ")
    console.print(f"spent since {since}: {spent_words(usage)}", highlight=False)
    if left := left_words(usage):
        console.print(f"left of the owner's budget: {left}", highlight=False)


def show_projects(console: Console, projects: list[Json]) -> None:
    """Two lines each: a narrow terminal may wrap a title, and cuts no address."""
    if not projects:
        console.print('No projects yet. Make one: appfleet new "a CRM with customers and deals"')
        return
    width = max(len(project["id"]) for project in projects)
    for project in projects:
        made = str(project["created_at"])[:16].replace("T", " ")
        state = f"{_standing(project):<13}"
        line = f"[bold]{project['id']:<{width}}[/]  {state} {made}  {one_line(project['title'])}"
        console.print(line, highlight=False, soft_wrap=True)
        if project["head"] and project["apps"]:
            url = one_line(project["apps"][0]["preview_url"])
            console.print(f"  {url}", highlight=False, soft_wrap=True)


def _standing(project: Json) -> str:
    if project.get("state") == "deleting":
        return "being deleted"
    return _words(str(project.get("last_build") or "no build yet"))
