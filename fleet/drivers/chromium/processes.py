"""One Chromium's processes as the kernel sees them.

Playwright tells no pid and can only end what still answers; a mark on the command line finds it.
"""

from __future__ import annotations

import os
import signal
import uuid
from contextlib import suppress
from pathlib import Path

_STOPPED = frozenset("Tt")


class Processes:
    """Launch Chromium with `flag`; its processes are found by it from then on."""

    def __init__(self) -> None:
        self.flag = f"--appfleet-mark={uuid.uuid4().hex}"

    def stopped(self) -> bool:
        """Whether any of them was stopped from outside (SIGSTOP, a debugger)."""
        return any(state in _STOPPED for state in self._tree().values())

    def kill(self) -> None:
        """At once, the stopped ones too; blocking, for some milliseconds."""
        for pid in self._tree():
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)

    def pids(self) -> set[int]:
        return set(self._tree())

    def _tree(self) -> dict[int, str]:
        """Its process and all below it, each with its state's letter."""
        parents: dict[int, int] = {}
        states: dict[int, str] = {}
        tree: list[int] = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with suppress(OSError):  # it ended meanwhile
                pid = int(folder.name)
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                parents[pid], states[pid] = int(parent), state
                if self.flag.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                    tree.append(pid)
        for pid in tree:  # grows as it is walked
            tree += [p for p, parent in parents.items() if parent == pid and p not in tree]
        return {pid: states[pid] for pid in tree}
