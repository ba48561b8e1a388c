"""Is this machine fit? Every answer says what was found, and what to do when it is not enough."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from fleet.domain.frozen import Frozen
from fleet.drivers.bubblewrap.cgroup import describe_cgroups
from fleet.drivers.bubblewrap.jail import APP_UID, Jail, jailed_uid
from fleet.drivers.bubblewrap.node import NODE
from fleet.drivers.chromium.browser import find_chromium
from fleet.drivers.postgres.timelines.clone import can_reflink
from fleet.drivers.postgres.timelines.compute import INSTALLATION
from fleet.errors import AppfleetError, SetupError

_SHELL = "chromium-headless-shell"
APT_PACKAGES = {"chromium": "chromium", "git": "git", "setpriv": "util-linux"}
_PROBE_TIMEOUT_S = 20
_APT_TIMEOUT_S = 900
MIN_FREE_GIB = 2


class Diagnosis(Frozen):
    """`missing` keeps the platform from working; `warning` makes it slower or weaker."""

    name: str
    state: Literal["ok", "warning", "missing"]
    detail: str
    action: str = ""


def examine(data_dir: Path, *, fix: bool) -> list[Diagnosis]:
    checks: list[Callable[[], Diagnosis]] = [
        _python,
        lambda: _program("git", fix=fix),
        lambda: _program("setpriv", fix=fix),
        _jail,
        _node,
        _postgres,
        lambda: _chromium(fix=fix),
        _cgroups,
        lambda: _filesystem(data_dir),
        lambda: _space(data_dir),
    ]
    return [check() for check in checks]


def _python() -> Diagnosis:
    return Diagnosis(name="python", state="ok", detail=".".join(map(str, sys.version_info[:3])))


def _program(name: str, *, fix: bool) -> Diagnosis:
    path = shutil.which(name)
    if path is None and fix and _apt_install(APT_PACKAGES[name]):
        path = shutil.which(name)
    if path:
        return Diagnosis(name=name, state="ok", detail=path)
    return Diagnosis(
        name=name,
        state="missing",
        detail="not found",
        action=f"sudo apt-get install -y {APT_PACKAGES[name]}",
    )


def _chromium(*, fix: bool) -> Diagnosis:
    path = _found_chromium()
    if not path and fix:
        # Debian has it; elsewhere the whole browser does as well.
        if not _apt_install(_SHELL):
            _apt_install("chromium")
        path = _found_chromium()
    if path.endswith(_SHELL):
        return Diagnosis(name="chromium", state="ok", detail=path)
    if path:
        faster = f"gates are faster with {_SHELL}, where apt has it"
        return Diagnosis(name="chromium", state="ok", detail=f"{path}; {faster}")
    return Diagnosis(
        name="chromium",
        state="missing",
        detail="not found: the gate cannot look at pages",
        action="sudo apt-get install -y chromium   (or: sudo appfleet doctor --fix)",
    )


def _found_chromium() -> str:
    try:
        return find_chromium()
    except SetupError:
        return ""


def _apt_install(package: str) -> bool:
    """Only as root on a machine with apt; says what it does, since it takes a while."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    sys.stderr.write(f"installing {package} with apt-get …\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", package]):
        done = subprocess.run(
            ["apt-get", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            timeout=_APT_TIMEOUT_S,
            check=False,
        )
    return done.returncode == 0


def _jail() -> Diagnosis:
    jail = Jail(uid=jailed_uid(APP_UID), env={"PATH": "/usr/bin:/bin"})
    try:
        done = subprocess.run(
            jail.argv(["true"]), env={}, capture_output=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (AppfleetError, OSError, subprocess.TimeoutExpired) as error:
        return Diagnosis(name="bubblewrap", state="missing", detail=str(error))
    if done.returncode == 0:
        return Diagnosis(name="bubblewrap", state="ok", detail="a jailed process runs")
    return Diagnosis(
        name="bubblewrap",
        state="missing",
        detail=done.stderr.decode(errors="replace").strip()[-300:],
        action="Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0), or run the platform as root.",
    )


def _node() -> Diagnosis:
    return _version("node", [str(NODE), "--version"])


def _postgres() -> Diagnosis:
    return _version("postgres", [str(INSTALLATION / "bin" / "postgres"), "--version"])


def _version(name: str, command: list[str]) -> Diagnosis:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Diagnosis(
            name=name, state="missing", detail=str(error), action="Run `make setup` again."
        )
    return Diagnosis(name=name, state="ok", detail=done.stdout.strip())


def _cgroups() -> Diagnosis:
    found = describe_cgroups()
    if found:
        return Diagnosis(name="cgroups", state="ok", detail=found)
    return Diagnosis(
        name="cgroups",
        state="warning",
        detail="not writable: apps run without memory, process and cpu limits",
        action="Run as root, or delegate a cgroup v2 subtree to this user.",
    )


def _filesystem(data_dir: Path) -> Diagnosis:
    if can_reflink(_existing(data_dir)):
        return Diagnosis(name="copy-on-write", state="ok", detail="the filesystem reflinks")
    return Diagnosis(
        name="copy-on-write",
        state="warning",
        detail=f"the filesystem under {data_dir} cannot reflink: branches are plain copies",
        action="For large databases put the data directory on XFS or Btrfs.",
    )


def _space(data_dir: Path) -> Diagnosis:
    free = shutil.disk_usage(_existing(data_dir)).free / 2**30
    state: Literal["ok", "warning"] = "ok" if free >= MIN_FREE_GIB else "warning"
    return Diagnosis(name="disk", state=state, detail=f"{free:.1f} GiB free under {data_dir}")


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
