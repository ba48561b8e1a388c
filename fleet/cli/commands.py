"""Every command. Errors are mapped to exit codes in `main`, and nowhere else."""

from __future__ import annotations

import json
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import fleet
from fleet.cli.client import Client, find_platform
from fleet.cli.launcher import launch, stop
from fleet.cli.progress import show_ending, show_events, show_projects, show_result
from fleet.errors import AppfleetError, InvalidInput
from fleet.settings import default_data_dir

app = typer.Typer(
    help="A chat message becomes a running, verified full-stack app. "
    "--url, --token and --data-dir may stand anywhere; without them the platform of the default "
    "data directory is used.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value.")]
Model = Annotated[str | None, typer.Option(help="Overrides the configured models for this build.")]
ProjectArg = Annotated[str, typer.Argument(help="A project's id, as `appfleet status` lists it.")]


@dataclass
class Target:
    """Where the command's platform is; filled from the global options."""

    url: str | None = None
    token: str | None = None
    data_dir: Path | None = None

    @property
    def directory(self) -> Path:
        return (self.data_dir or default_data_dir()).expanduser().resolve()

    def client(self) -> Client:
        return Client(find_platform(self.url, self.token, self.directory))


target = Target()

Url = Annotated[str | None, typer.Option(envvar="APPFLEET_URL", help="The platform's address.")]
Token = Annotated[str | None, typer.Option(envvar="APPFLEET_TOKEN", help="A bearer token.")]
DataDir = Annotated[
    Path | None, typer.Option(envvar="APPFLEET_DATA_DIR", help="The platform's data directory.")
]
# Without the variable: the global option has read it, and what was typed there must win.
OwnDataDir = Annotated[Path | None, typer.Option("--data-dir", help="Its data directory.")]


@app.callback(invoke_without_command=True)
def options(
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        out.print(fleet.__version__)
        raise typer.Exit
    _aim(url, token, data_dir)


def _aim(url: str | None, token: str | None, data_dir: Path | None) -> None:
    target.url = url or target.url
    target.token = token or target.token
    target.data_dir = data_dir or target.data_dir


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@app.command()
def up(
    data_dir: OwnDataDir = None,
    port: Annotated[
        int,
        typer.Option(
            envvar="APPFLEET_PORT", min=0, max=65535, help="The one public port; 0: any free one."
        ),
    ] = 7700,
    detach: Annotated[bool, typer.Option(help="Return once it is ready.")] = False,
    ray_address: Annotated[str | None, typer.Option(help="Join this Ray cluster.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start the platform."""
    _aim(None, None, data_dir)
    environment = {"APPFLEET_PORT": str(port)}
    if ray_address:
        environment["APPFLEET_RAY_ADDRESS"] = ray_address

    def on_report(report: dict[str, Any]) -> None:
        if as_json:
            if report["event"] in {"ready", "error"}:
                _print_json(report)
            return
        match report["event"]:
            case "step":
                out.print(f"  [dim]{report['elapsed_s']:6.2f} s[/]  {report['name']}")
            case "ready":
                out.print(f"\n[bold green]ready[/] in {report['elapsed_s']:.1f} s")
                out.print(f"  chat page  {report['url']}", highlight=False)
                out.print(f"  dashboard  {report['dashboard']}", highlight=False)
                out.print(f"  token      {target.directory / 'token'}", highlight=False)
            case "error":
                err.print(f"[red]error[/] {escape(report['message'])}", highlight=False)
                if report.get("action"):
                    err.print(escape(report["action"]), highlight=False)
            case other:
                out.print(f"[dim]{other}[/]")

    code = launch(target.directory, environment, on_report, detach=detach)
    raise typer.Exit(code)


@app.command()
def down(data_dir: OwnDataDir = None, as_json: AsJson = False) -> None:
    """Stop the platform on the data directory. Nothing is lost."""
    _aim(None, None, data_dir)
    stopped = stop(target.directory)
    if as_json:
        _print_json({"stopped": stopped})
    else:
        out.print("stopped" if stopped else f"no platform runs on {target.directory}")


@app.command()
def doctor(
    fix: Annotated[bool, typer.Option(help="Install what is missing (as root).")] = False,
    data_dir: OwnDataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check this machine; --fix mends what it can."""
    from fleet.cli import doctor as doctor_checks  # it loads every driver; other commands none

    _aim(None, None, data_dir)
    diagnoses = doctor_checks.examine(target.directory, fix=fix)
    if as_json:
        _print_json([d.model_dump() for d in diagnoses])
    else:
        for diagnosis in diagnoses:
            mark = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "missing": "[red]✗[/]"}
            out.print(
                f"{mark[diagnosis.state]} {diagnosis.name:<14} {escape(diagnosis.detail)}",
                highlight=False,
            )
            if diagnosis.action:
                out.print(f"  [bold]{escape(diagnosis.action)}[/]", highlight=False)
    if any(d.state == "missing" for d in diagnoses):
        raise typer.Exit(3)


@app.command()
def status(as_json: AsJson = False) -> None:
    """The platform and its projects."""
    client = target.client()
    platform, projects = client.get("/v1/status"), client.get("/v1/projects")
    if as_json:
        _print_json({"platform": platform, "projects": projects, "url": client.url})
        return
    out.print(f"[bold]{client.url}[/]  version {platform['version']}", highlight=False)
    for problem in platform["problems"]:
        out.print(f"[red]problem[/] {escape(problem)}", highlight=False)
    show_projects(out, projects)


@app.command()
def new(
    message: Annotated[str, typer.Argument(help="What to build, in your own words.")],
    model: Model = None,
    as_json: AsJson = False,
    wait: Annotated[bool, typer.Option(help="Follow the build to its end.")] = True,
) -> None:
    """Make a project from a message."""
    client = target.client()
    posted = client.post("/v1/projects", _body("message", message, model))
    _finish(client, posted, as_json=as_json, wait=wait)


@app.command()
def chat(
    project: ProjectArg,
    message: Annotated[str, typer.Argument(help="What to change.")],
    model: Model = None,
    as_json: AsJson = False,
    wait: Annotated[bool, typer.Option(help="Follow the build to its end.")] = True,
) -> None:
    """Send a follow-up message to a project."""
    client = target.client()
    posted = client.post(f"/v1/projects/{project}/messages", _body("text", message, model))
    _finish(client, posted, as_json=as_json, wait=wait)


def _body(field: str, message: str, model: str | None) -> dict[str, Any]:
    text = sys.stdin.read() if message == "-" else message
    return {field: text, **({"model": model} if model else {})}


def _finish(client: Client, posted: dict[str, Any], *, as_json: bool, wait: bool) -> None:
    project_id, build_id = posted["project"], posted["build"]
    if wait:
        events = client.events(project_id, build_id)
        own = (e for e in events if e.get("build") in (None, build_id))
        if as_json:
            for _ in own:
                pass
        else:
            out.print(f"[dim]project {project_id}  build {build_id}[/]", highlight=False)
            show_events(out, own)
    result = client.get(f"/v1/projects/{project_id}/builds/{build_id}")
    if as_json:
        _print_json(result)
    elif wait:
        show_ending(out, result)
    else:
        show_result(out, result)
    if wait and result["state"] != "succeeded":
        raise typer.Exit(1)


@app.command()
def show(project: ProjectArg, as_json: AsJson = False) -> None:
    """A project: its apps, its builds, and the last build's evidence."""
    client = target.client()
    answer = client.get(f"/v1/projects/{project}")
    builds = answer["builds"]
    last = builds[-1]["build"] if builds else None
    result = client.get(f"/v1/projects/{project}/builds/{last}") if last else None
    if as_json:
        _print_json({**answer, "last_build": result})
        return
    out.print(f"[bold]{escape(str(answer['title']))}[/]  [dim]{project}[/]", highlight=False)
    for build in builds:
        text = escape(str(build.get("text", "")))[:70]
        out.print(f"  {build['build']}  {build['state']:<13} {text}", highlight=False)
    if result:
        show_result(out, result)
        contract = result.get("contract") or {}
        for procedure in contract.get("procedures", []):
            out.print(f"  {procedure['kind']:<9} {procedure['name']}", highlight=False)


@app.command()
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
        _print_json({"project": project, "app": app_slug, "log": text})
    else:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")


@app.command("open")
def open_app(
    project: ProjectArg,
    browse: Annotated[bool, typer.Option(help="Also open a browser.")] = True,
    as_json: AsJson = False,
) -> None:
    """Print an app's address and open it."""
    answer = target.client().get(f"/v1/projects/{project}")
    urls = [str(a["preview_url"]) for a in answer["apps"]]
    if as_json:
        _print_json({"project": project, "urls": urls})
        return
    for url in urls:
        out.print(url, highlight=False)
    if browse and urls:
        webbrowser.open(urls[0])


@app.command()
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
            _print_json(result)
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


@app.command()
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
        _print_json({"deleted": project})
    else:
        out.print(f"deleted {project}", highlight=False)


_GLOBAL = ("--url", "--token", "--data-dir")
_OWN_OPTIONS = {"up", "down", "doctor"}  # they declare what they take themselves


def with_globals_first(arguments: list[str]) -> list[str]:
    """`new "…" --url X` means `--url X new "…"`: the global options may stand anywhere."""
    if any(a in _OWN_OPTIONS for a in arguments[:1]):
        return arguments
    before, rest = [], []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in _GLOBAL:
            before += [word, *[w for w in [next(words, None)] if w is not None]]
        elif word.startswith(tuple(f"{name}=" for name in _GLOBAL)):
            before.append(word)
        else:
            rest.append(word)
    return before + rest


def main() -> None:
    try:
        app(args=with_globals_first(sys.argv[1:]))
    except AppfleetError as error:
        if "--json" in sys.argv:
            _print_json(
                {"error": {"code": error.code, "message": error.message, "action": error.action}}
            )
        else:
            err.print(f"[red]error[/] {escape(error.message)}", highlight=False)
            if error.action:
                err.print(escape(error.action), highlight=False)
        sys.exit(error.exit_code)
