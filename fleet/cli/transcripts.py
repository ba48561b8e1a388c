"""Commands on transcripts: export a build's, and replay one on the code that is installed here."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from rich.markup import escape

from fleet.cli.terminal import AsJson, ProjectArg, out, print_json, target
from fleet.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from fleet.generation.replay import Replay
    from fleet.generation.transcript import Transcript

commands = typer.Typer()

REPLAY_DEADLINE_S = 600.0
MAX_FILE_BYTES = 200_000_000


@commands.command()
def transcript(
    project: ProjectArg,
    build: Annotated[str | None, typer.Option(help="Its id; else the newest build.")] = None,
    to: Annotated[Path | None, typer.Option("-o", help="The file to write; else stdout.")] = None,
) -> None:
    """Export a build: every word of the model, every tool's result, every verdict."""
    client = target.client()
    wanted = build or _newest(client.get(f"/v1/projects/{project}/builds"), project)
    document = client.get(f"/v1/projects/{project}/builds/{wanted}/transcript")
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if to is None:
        sys.stdout.write(text)
        return
    try:
        to.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"{to} cannot be written: {error.strerror}.", action="Name another file with -o."
        ) from error
    steps = len(document["steps"])
    out.print(f"{to}: build {wanted}, {document['state']}, {steps} steps", highlight=False)
    out.print(f"[dim]appfleet replay {escape(str(to))}[/]", highlight=False)


@commands.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A transcript, as `appfleet transcript` writes it.")],
    as_json: AsJson = False,
) -> None:
    """Run a build again on this code without a model. Exit code 1 where it goes another way."""
    from fleet.generation.transcript import read_transcript  # the generator: other commands none

    recorded = read_transcript(_text(file))
    played = asyncio.run(_play(recorded))
    if as_json:
        print_json(
            {
                "build": recorded.build,
                "recorded": {"state": recorded.state, "steps": len(recorded.steps)},
                "now": {"state": played.now.state, "steps": len(played.now.steps)},
                "ends": played.ends,
                "divergences": [d.model_dump() for d in played.divergences],
            }
        )
    else:
        _show(recorded, played)
    if played.divergences:
        raise typer.Exit(1)


async def _play(recorded: Transcript) -> Replay:
    from fleet.assembly import memory_ground
    from fleet.generation.replay import beginning, replay

    logs = structlog.get_config()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # stdout is the answer's
    try:
        async with asyncio.timeout(REPLAY_DEADLINE_S):
            return await replay(recorded, memory_ground(beginning(recorded)))
    finally:
        structlog.configure(**logs)


def _show(recorded: Transcript, played: Replay) -> None:
    for divergence in played.divergences:
        where = f"step {divergence.step}" if divergence.step else "the end"
        out.print(f"[red]differs[/] {where}: {escape(divergence.what)}", highlight=False)
        out.print(f"  recorded  {escape(divergence.recorded)}", highlight=False)
        out.print(f"  now       {escape(divergence.now)}", highlight=False)
    steps, now = len(recorded.steps), len(played.now.steps)
    if not played.divergences:
        end = f"; the record ends here: {played.ends}" if played.ends else ""
        out.print(f"[green]the same[/] {steps} steps, {recorded.state.value}{end}", highlight=False)
    else:
        count = len(played.divergences)
        out.print(
            f"{count} difference{'' if count == 1 else 's'}: recorded {recorded.state.value} in "
            f"{steps} steps, now {played.now.state.value} in {now}",
            highlight=False,
        )


def _newest(builds: list[dict[str, Any]], project: str) -> str:
    if not builds:
        raise NotFound(f"Project {project} has no build yet.", action="Send it a message first.")
    return str(builds[-1]["build"])


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(f"{file} is larger than any transcript.", action="Name another.")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be read: {error.strerror}.",
            action="Export a build with `appfleet transcript PROJECT -o FILE`.",
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not a text.", action="Name a transcript.") from error
