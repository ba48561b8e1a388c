"""Commands on a project that exists: logs, open, psql, delete."""

from __future__ import annotations

import sys
import webbrowser
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from fleet.cli.terminal import AsJson, ProjectArg, err, out, print_json, target
from fleet.errors import InvalidInput

commands = typer.Typer()


@commands.command()
def logs(
    project: ProjectArg,
    lines: Annotated[int, typer.Option(help="How many of the last lines.")] = 200,
    app_slug: Annotated[str, typer.Option("--app", help="The app's slug.")] = "web",
    as_json: AsJson = False,
) -> None:
    """The last lines an app wrote."""
    answer = target.client().get(f"/v1/projects/{project}/logs", app=app_slug, lines=lines)
    text = str(answer["text"])
    if as_json:
        print_json({"project": project, "app": app_slug, "log": text})
    else:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")


@commands.command("open")
def open_app(
    project: ProjectArg,
    browse: Annotated[bool, typer.Option(help="Also open a browser.")] = True,
    as_json: AsJson = False,
) -> None:
    """Print an app's address and open it."""
    answer = target.client().get(f"/v1/projects/{project}")
    urls = [str(a["preview_url"]) for a in answer["apps"]]
    if as_json:
        print_json({"project": project, "urls": urls})
        return
    for url in urls:
        out.print(url, highlight=False)
    if browse and urls:
        webbrowser.open(urls[0])


@commands.command()
def psql(
    project: ProjectArg,
    command: Annotated[str | None, typer.Option("--command", "-c", help="Run this SQL.")] = None,
    write: Annotated[bool, typer.Option(help="Allow changes (read-only otherwise).")] = False,
    as_json: AsJson = False,
) -> None:
    """SQL on a project's dev database. Reads statements from stdin without -c."""
    client = target.client()
    for sql in [command] if command is not None else _statements():
        result = client.post(
            f"/v1/projects/{project}/sql", {"sql": sql, "write": write}, repeat=not write
        )
        if as_json:
            print_json(result)
            continue
        table = Table(*result["columns"], box=None, pad_edge=False)
        for row in result["rows"]:
            table.add_row(*("" if v is None else escape(str(v)) for v in row))
        if result["columns"]:
            out.print(table)
        note = ", cut" if result["truncated"] else ""
        out.print(f"[dim]{result['row_count']} rows{note}[/]")


def _statements() -> list[str]:
    if sys.stdin.isatty():
        err.print("[dim]Type SQL; end with Ctrl-D.[/]")
    text = sys.stdin.read()
    if not text.strip():
        raise InvalidInput("No SQL given.", action="Pass it with -c, or pipe it in.")
    return [text]


@commands.command()
def delete(
    project: ProjectArg,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a project: its apps, its database, its repository. For good."""
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise InvalidInput(
                f"Deleting {project} takes its code and data, for good.",
                action="Say so with --yes.",
            )
        typer.confirm(f"Delete {project} with its code and data, for good?", abort=True)
    target.client().delete(f"/v1/projects/{project}")
    if as_json:
        print_json({"deleted": project})
    else:
        out.print(f"deleted {project}", highlight=False)
