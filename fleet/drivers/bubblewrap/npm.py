"""npm as a command, outside any sandbox: install scripts off, git out of reach, time bounded."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.drivers.bubblewrap.node import NODE, NPM, NPM_ENVIRONMENT
from fleet.errors import InfrastructureError

# npm would run git for a package that asks for it; this name in its error says that it wanted to.
NO_GIT = "/appfleet-has-no-git"
_QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", f"--git={NO_GIT}")


@dataclass(frozen=True)
class NpmResult:
    code: int
    text: str


def run_npm(folder: Path, arguments: Sequence[str], timeout_s: float) -> NpmResult:
    """Blocking: call it in a thread. Raises InfrastructureError when the time is up."""
    verb, *rest = arguments
    environment = {**os.environ, **NPM_ENVIRONMENT}
    environment.pop("NODE_ENV", None)  # production would leave out what the gate needs
    try:
        done = subprocess.run(
            [str(NODE), str(NPM), verb, *_QUIET, *rest],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            umask=0o022,  # the sandbox's uid reads what it writes
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(
            f"npm did not finish within {timeout_s:.0f} s.",
            action="Check that the npm registry can be reached from this machine.",
        ) from error
    return NpmResult(done.returncode, done.stderr + done.stdout)
