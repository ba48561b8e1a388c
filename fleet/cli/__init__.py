"""The `appfleet` command: a client of the HTTP API, plus up, down and doctor."""

from fleet.cli.commands import main

__all__ = ["main"]
