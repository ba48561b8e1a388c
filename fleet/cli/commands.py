"""The `appfleet` command. Errors are mapped to exit codes in `main`, and nowhere else.

A group of commands is a module with a `commands` of its own; it is added here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import fleet
from fleet.cli import building, operating, owning, transcripts
from fleet.cli.terminal import aim, err, out, print_json
from fleet.errors import AppfleetError

app = typer.Typer(
    help="A chat message becomes a running, verified full-stack app. "
    "--url, --token and --data-dir may stand anywhere; without them the platform of the default "
    "data directory is used.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (operating, building, owning, transcripts):
    app.add_typer(group.commands)

Url = Annotated[str | None, typer.Option(envvar="APPFLEET_URL", help="The platform's address.")]
Token = Annotated[str | None, typer.Option(envvar="APPFLEET_TOKEN", help="A bearer token.")]
DataDir = Annotated[
    Path | None, typer.Option(envvar="APPFLEET_DATA_DIR", help="The platform's data directory.")
]


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
    aim(url, token, data_dir)


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
            print_json(
                {"error": {"code": error.code, "message": error.message, "action": error.action}}
            )
        else:
            err.print(f"[red]error[/] {escape(error.message)}", highlight=False)
            if error.action:
                err.print(escape(error.action), highlight=False)
        sys.exit(error.exit_code)
