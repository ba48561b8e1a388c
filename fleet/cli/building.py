"""Commands that build and look at what was built: new, chat, show."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.markup import escape

from fleet.cli.client import Client
from fleet.cli.progress import Places, show_ending, show_events, show_owner_left, show_result
from fleet.cli.terminal import AsJson, Model, ProjectArg, out, print_json, target
from fleet.errors import InvalidInput
from fleet.settings import Settings

commands = typer.Typer()


@commands.command()
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


@commands.command()
def chat(
    project: ProjectArg,
    message: Annotated[str | None, typer.Argument(help="What to change.")] = None,
    model: Model = None,
    proceed: Annotated[
        bool, typer.Option("--continue", help="Go on with a build that ran out of budget.")
    ] = False,
    as_json: AsJson = False,
    wait: Annotated[bool, typer.Option(help="Follow the build to its end.")] = True,
) -> None:
    """Send a follow-up message to a project, or continue its build with a fresh budget."""
    if proceed and (message is not None or model is not None):
        raise InvalidInput(
            "--continue goes on with the build as it is; it takes no message and no model.",
            action="Leave them out, or leave --continue out to change the app.",
        )
    client = target.client()
    if proceed:
        posted = client.post(f"/v1/projects/{project}/continue", {})
    elif message is not None:
        posted = client.post(f"/v1/projects/{project}/messages", _body("text", message, model))
    else:
        raise InvalidInput("There is no message.", action="Say what to change, or pass --continue.")
    _finish(client, posted, as_json=as_json, wait=wait)


def _body(field: str, message: str, model: str | None) -> dict[str, Any]:
    text = sys.stdin.read() if message == "-" else message
    return {field: text, **({"model": model} if model else {})}


def _finish(client: Client, posted: dict[str, Any], *, as_json: bool, wait: bool) -> None:
    project_id, build_id = posted["project"], posted["build"]
    if not as_json:
        out.print(f"[dim]project {project_id}  build {build_id}[/]", highlight=False)
    if wait:
        events = client.events(project_id, build_id, int(posted.get("after", 0)))
        own = (e for e in events if e.get("build") in (None, build_id))
        if as_json:
            for _ in own:
                pass
        else:
            show_events(out, own)
    result = client.get(f"/v1/projects/{project_id}/builds/{build_id}")
    if as_json:
        print_json(result)
    else:
        show_ending(out, result)
        if wait:
            show_owner_left(out, client.get("/v1/usage"))
    if wait and result["state"] != "succeeded":
        raise typer.Exit(1)


def _places(client: Client) -> Places:
    # Not validated: the platform's settings are no matter of the one who asks it.
    folder = Settings.model_construct(data_dir=target.directory).artefacts_dir
    return Places(url=client.url, folder=folder)


@commands.command()
def show(
    project: ProjectArg,
    build: Annotated[
        str | None, typer.Option(help="An older build's id; else the newest build.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A project: its apps, its builds, and one build's evidence and screenshots."""
    client = target.client()
    answer = client.get(f"/v1/projects/{project}")
    builds = answer["builds"]
    wanted = build or (builds[-1]["build"] if builds else None)
    result = client.get(f"/v1/projects/{project}/builds/{wanted}") if wanted else None
    if as_json:
        print_json({**answer, "build" if build else "last_build": result})
        return
    out.print(f"[bold]{escape(str(answer['title']))}[/]  [dim]{project}[/]", highlight=False)
    for made in builds:
        text = escape(" ".join(str(made.get("text", "")).split())[:70])
        out.print(f"  {made['build']}  {made['state']:<13} {text}", highlight=False)
    if result is None:
        out.print("  no build yet", highlight=False)
        return
    show_result(out, result, _places(client))
    contract = result.get("contract") or {}
    for procedure in contract.get("procedures", []):
        out.print(f"  {procedure['kind']:<9} {procedure['name']}", highlight=False)
