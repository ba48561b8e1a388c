"""What every command shares: where the platform is, how to print, the options they have alike."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fleet.cli.client import Client, find_platform
from fleet.settings import default_data_dir

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value.")]
Model = Annotated[str | None, typer.Option(help="Overrides the configured models for this build.")]
ProjectArg = Annotated[str, typer.Argument(help="A project's id, as `appfleet status` lists it.")]
# Without the variable: the global option has read it, and what was typed there must win.
OwnDataDir = Annotated[Path | None, typer.Option("--data-dir", help="Its data directory.")]


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


def aim(url: str | None, token: str | None, data_dir: Path | None) -> None:
    target.url = url or target.url
    target.token = token or target.token
    target.data_dir = data_dir or target.data_dir


def print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
