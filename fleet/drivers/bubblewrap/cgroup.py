"""Limits by control group, v2 or v1, whichever this machine lets us write.

A process joins its group before it execs bubblewrap, so everything it starts is inside.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import structlog

log = structlog.get_logger()

ROOT = Path("/sys/fs/cgroup")
_V1_CONTROLLERS = ("memory", "pids", "cpu")
_V2_CONTROLLERS = "+memory +pids +cpu"
_CPU_PERIOD_US = 100_000
_REMOVE_DEADLINE_S = 5.0
_JOIN = (
    'for f in $APPFLEET_PROCS; do echo $$ > "$f" || exit 125; done; unset APPFLEET_PROCS; exec "$@"'
)


@dataclass(frozen=True)
class Limits:
    """What one workload may use at most; `cpus` is a number of cores."""

    memory_mib: int = 1_024
    pids: int = 256
    cpus: float = 2.0
    start_timeout_s: float = 30.0


@lru_cache(maxsize=1)
def _version() -> int:
    """2 or 1: the hierarchy with writable memory and pids controllers; 0: none."""
    controllers = ROOT / "cgroup.controllers"
    if controllers.exists():
        return 2 if "memory" in controllers.read_text().split() and _delegates(ROOT) else 0
    folders = [ROOT / c for c in _V1_CONTROLLERS]
    return 1 if all(f.is_dir() and os.access(f, os.W_OK) for f in folders) else 0


def _delegates(folder: Path) -> bool:
    """A group that holds processes itself (a container's own) may refuse to pass controllers on."""
    try:
        (folder / "cgroup.subtree_control").write_text(_V2_CONTROLLERS)
    except OSError as error:
        log.warning("cgroup v2 cannot be used", group=str(folder), reason=str(error))
        return False
    return True


def describe_cgroups() -> str:
    """For `appfleet doctor`; "" when no limit can be set."""
    version = _version()
    return f"v{version}: memory, pids, cpu" if version else ""


class Cgroup:
    """One group, named after the platform and the workload. Making it again is a no-op."""

    def __init__(self, parent: str, name: str) -> None:
        self._name = f"{parent}/{name}"

    @property
    def _folders(self) -> list[Path]:
        match _version():
            case 2:
                return [ROOT / self._name]
            case 1:
                return [ROOT / controller / self._name for controller in _V1_CONTROLLERS]
            case _:
                return []

    def make(self, limits: Limits) -> None:
        if not self._folders:
            log.warning("no writable cgroups: a sandbox runs without limits", group=self._name)
            return
        quota = int(limits.cpus * _CPU_PERIOD_US)
        memory = str(limits.memory_mib * 2**20)
        if _version() == 2:
            group = ROOT / self._name
            group.parent.mkdir(exist_ok=True)
            (group.parent / "cgroup.subtree_control").write_text(_V2_CONTROLLERS)
            group.mkdir(exist_ok=True)
            (group / "memory.max").write_text(memory)
            _write_if_there(group / "memory.swap.max", "0")
            (group / "pids.max").write_text(str(limits.pids))
            (group / "cpu.max").write_text(f"{quota} {_CPU_PERIOD_US}")
            return
        for folder in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
        memory_group, pids_group, cpu_group = self._folders
        (memory_group / "memory.limit_in_bytes").write_text(memory)
        _write_if_there(memory_group / "memory.swappiness", "0")
        (pids_group / "pids.max").write_text(str(limits.pids))
        _write_if_there(cpu_group / "cpu.cfs_quota_us", str(quota))

    def enter(self, command: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The command line and environment that join the group, then become `command`."""
        procs = " ".join(str(f / "cgroup.procs") for f in self._folders)
        return ["/bin/sh", "-c", _JOIN, "sh", *command], {"APPFLEET_PROCS": procs}

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed something here for want of memory."""
        for folder in self._folders[:1]:
            for name in ("memory.events", "memory.oom_control"):
                path = folder / name
                if path.exists():
                    lines = (line.split() for line in path.read_text().splitlines())
                    facts = {words[0]: words[1] for words in lines if len(words) == 2}
                    return facts.get("oom_kill", "0") != "0"
        return False

    def kill(self) -> None:
        for folder in self._folders[:1]:
            for pid in _pids(folder):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def remove_parts(self) -> None:
        """The groups beside this one that are named after it: of commands that were cut off."""
        for folder in self._folders[:1]:
            for part in folder.parent.glob(f"{folder.name}.*"):
                Cgroup(folder.parent.name, part.name).remove()

    def remove(self) -> None:
        """Kills what is left, then removes the group. Blocks up to a few seconds."""
        give_up_at = time.monotonic() + _REMOVE_DEADLINE_S
        for folder in self._folders:
            while folder.exists():
                self.kill()
                try:
                    folder.rmdir()
                except OSError:
                    if time.monotonic() > give_up_at:
                        log.warning("cgroup not removed", group=str(folder))
                        break
                    time.sleep(0.005)  # the kernel tells nobody when a v1 group is empty


def _pids(folder: Path) -> list[int]:
    try:
        return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
    except FileNotFoundError:
        return []


def _write_if_there(path: Path, value: str) -> None:
    if path.exists():
        path.write_text(value)
