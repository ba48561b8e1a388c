"""Commands for the one who runs the platform: up, down, doctor, status, usage."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from fleet.cli.launcher import launch, stop
from fleet.cli.progress import show_projects, show_usage
from fleet.cli.terminal import AsJson, OwnDataDir, aim, err, out, print_json, target

commands = typer.Typer()


@commands.command()
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
    aim(None, None, data_dir)
    environment = {"APPFLEET_PORT": str(port)}
    if ray_address:
        environment["APPFLEET_RAY_ADDRESS"] = ray_address

    def on_report(report: dict[str, Any]) -> None:
        if report["event"] == "warning":
            err.print(f"[yellow]warning[/] {escape(report['message'])}", highlight=False)
        elif as_json:
            if report["event"] in {"ready", "error"}:
                print_json(report)
        else:
            _show_report(report)

    code = launch(target.directory, environment, on_report, detach=detach)
    raise typer.Exit(code)


def _show_report(report: dict[str, Any]) -> None:
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


@commands.command()
def down(data_dir: OwnDataDir = None, as_json: AsJson = False) -> None:
    """Stop the platform on the data directory. Nothing is lost."""
    aim(None, None, data_dir)
    stopped = stop(target.directory)
    if as_json:
        print_json({"stopped": stopped})
    else:
        out.print("stopped" if stopped else f"no platform runs on {target.directory}")


@commands.command()
def doctor(
    fix: Annotated[bool, typer.Option(help="Install what is missing (as root).")] = False,
    data_dir: OwnDataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check this machine; --fix mends what it can."""
    from fleet.cli import doctor as doctor_checks  # it loads every driver; other commands none

    aim(None, None, data_dir)
    diagnoses = doctor_checks.examine(target.directory, fix=fix)
    if as_json:
        print_json([d.model_dump() for d in diagnoses])
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


@commands.command()
def status(as_json: AsJson = False) -> None:
    """The platform and its projects."""
    client = target.client()
    platform, projects = client.get("/v1/status"), client.get("/v1/projects")
    spent = client.get("/v1/usage")
    if as_json:
        told = {"platform": platform, "projects": projects, "usage": spent, "url": client.url}
        print_json(told)
        return
    out.print(f"[bold]{client.url}[/]  version {platform['version']}", highlight=False)
    for problem in platform["problems"]:
        out.print(f"[red]problem[/] {escape(problem)}", highlight=False)
    show_projects(out, projects)
    if spent["budget"]:
        show_usage(out, spent)


@commands.command()
def usage(as_json: AsJson = False) -> None:
    """What your builds spent in the budget's period, and what is left."""
    spent = target.client().get("/v1/usage")
    if as_json:
        print_json(spent)
    else:
        show_usage(out, spent)
