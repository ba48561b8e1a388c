"""The embedded control server: one Postgres under the data directory, on one unix socket.

A daemon: it outlives the thread and the actor that started it, so that a killed platform finds it
again. Whoever listens on the socket *is* the server, so its pid is asked of the kernel
(SO_PEERCRED) and no pid file is ever trusted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from fleet.drivers.bubblewrap.jail import DATABASE_UID, Jail, jailed_uid
from fleet.drivers.postgres.timelines.compute import INSTALLATION, database_jail
from fleet.errors import InfrastructureError, SetupError

DATABASE = "appfleet"
ROLE = "appfleet"
_MAJOR = "18"
_MIN_FREE_BYTES = 200 * 2**20
_MAX_LOG_BYTES = 8 * 2**20
_MAX_SOCKET_BYTES = 100
_INITDB_DEADLINE_S = 120.0
_LOCK_DEADLINE_S = 10
_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 30.0
_CONNECT_RETRY_S = 0.02
_FULL = "No space left on device"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": "/run/postgres",
    "unix_socket_permissions": "0777",  # the 0700 folder around it is the fence
    "io_method": "sync",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_worker_processes": "4",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
}


class EmbeddedServer:
    def __init__(self, data_dir: Path, run_dir: Path) -> None:
        self._root = data_dir
        self._data = data_dir / "control"
        self._run_dir = run_dir
        self._socket_dir = run_dir / "control"
        self._log = data_dir / "log" / "control.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def conninfo(self) -> str:
        return f"host={self._socket_dir} dbname={DATABASE} user={ROLE}"

    def start(self) -> str:
        """Starts the server, or adopts the one that a killed platform left. Blocks until ready.

        Raises SetupError for what the operator can mend, InfrastructureError for the rest.
        """
        self._check_places()
        if not self.running():
            try:
                self._start()
            except OSError as error:
                raise self._os_failure(error) from error
        try:
            self._await_ready()
        except BaseException:
            self._abandon()
            raise
        return self.conninfo

    def running(self) -> bool:
        return self.postmaster() is not None

    def stop(self) -> None:
        """A fast shutdown, killed after the deadline (it recovers at the next start)."""
        pid = self.postmaster()
        if pid is not None:
            _end(pid, _STOP_DEADLINE_S)
        if self._process is not None:
            self._process.wait(_STOP_DEADLINE_S)
            self._process = None

    def _abandon(self) -> None:
        """Ends what this object started, listening or not: a failed start leaves no process."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for init in children:  # with a namespace's first process, all in it end
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(init), signal.SIGKILL)
        process.kill()
        process.wait(_STOP_DEADLINE_S)

    # Preparing

    def _check_places(self) -> None:
        socket_path = self._socket_dir / ".s.PGSQL.5432"
        if len(os.fsencode(socket_path)) > _MAX_SOCKET_BYTES:
            raise SetupError(
                f"The socket path {socket_path} is longer than {_MAX_SOCKET_BYTES} bytes.",
                action="Choose a shorter run directory.",
            )
        try:
            for folder in (self._root, self._log.parent, self._run_dir, self._socket_dir):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._os_failure(error) from error
        _require_owner(self._root, os.geteuid())
        _require_owner(self._run_dir, os.geteuid())
        if self._data.exists():
            _require_owner(self._data, jailed_uid(DATABASE_UID))
            self._require_version()
        free = shutil.disk_usage(self._root).free
        if free < _MIN_FREE_BYTES:
            raise SetupError(
                f"Only {free // 2**20} MiB are free under {self._root}.",
                action=f"Free at least {_MIN_FREE_BYTES // 2**20} MiB, then start again.",
            )

    def _require_version(self) -> None:
        try:
            found = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise SetupError(
                f"{self._data} is no Postgres data directory.",
                action="Move it away, or choose another --data-dir.",
            ) from None
        if found != _MAJOR:
            raise SetupError(
                f"{self._data} was written by Postgres {found[:20]}, this is {_MAJOR}.",
                action="Use the appfleet that wrote it, or choose another --data-dir.",
            )

    def _initialise(self) -> None:
        """Whole or not at all: made beside its place, then renamed."""
        unfinished = self._root / "control.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        _give_away(unfinished)
        with tempfile.NamedTemporaryFile("w", dir=self._run_dir) as passwd:
            # initdb looks its own user up, and a plain user's uid is not in the jail's passwd.
            uid = jailed_uid(DATABASE_UID)
            passwd.write(f"database:x:{uid}:{os.getegid()}::/tmp:/usr/sbin/nologin\n")
            passwd.flush()
            Path(passwd.name).chmod(0o644)
            jail = database_jail(unfinished, self._socket_dir, Path(passwd.name))
            command = [str(INSTALLATION / "bin" / "initdb"), "-D", "/data", "-U", ROLE]
            command += ["-A", "trust", "-E", "UTF8", "--locale-provider=builtin"]
            command += ["--builtin-locale=C.UTF-8", "--locale=C", "--wal-segsize=4"]
            done = _run(jail, command)
        if done.returncode != 0:
            raise self._failure("The control database could not be made", done.stdout)
        unfinished.rename(self._data)

    # Starting

    def _start(self) -> None:
        _give_away(self._socket_dir)
        lock = self._own_data()
        try:
            if not self._data.exists():
                self._initialise()
            # The lock is ours, so these are a dead server's. Postgres could not tell: it always
            # has the same pid in its own namespace.
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            for left_over in self._socket_dir.iterdir():
                left_over.unlink()
            if self._log.exists() and self._log.stat().st_size > _MAX_LOG_BYTES:
                self._log.replace(self._log.with_suffix(".log.1"))
            command = [str(INSTALLATION / "bin" / "postgres"), "-D", "/data"]
            for name, value in _SETTINGS.items():
                command += ["-c", f"{name}={value}"]
            jail = dataclasses.replace(
                database_jail(self._data, self._socket_dir), dies_with_parent=False
            )
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    jail.argv(command),
                    env={},
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    start_new_session=True,
                )
        finally:
            os.close(lock)

    def _own_data(self) -> int:
        """A lock that Postgres's processes inherit: free only when the last of them is gone."""
        lock = os.open(self._root / "control.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # flock(1) for its deadline: a killed server's last processes may take a moment to go.
        command = ["/usr/bin/flock", "--exclusive", "--wait", str(_LOCK_DEADLINE_S), str(lock)]
        if subprocess.run(command, pass_fds=(lock,), check=False).returncode != 0:
            os.close(lock)
            raise SetupError(
                f"Another Postgres still runs on {self._data}, but not on {self._socket_dir}.",
                action="Stop the other platform that uses this data directory.",
            )
        return lock

    def _await_ready(self) -> None:
        """Postgres offers no event to wait on but its log, so the connection is tried again."""
        give_up_at = time.monotonic() + _START_DEADLINE_S
        while True:
            try:
                self._ensure_database()
                return
            except psycopg.OperationalError as error:
                ended = self._process is not None and self._process.poll() is not None
                full = _FULL in str(error)  # it listens, but will never take a session
                if ended or full or time.monotonic() > give_up_at:
                    raise self._failure(
                        f"The control database did not start ({str(error).strip()[-300:]})",
                        self._log_tail(),
                    ) from error
                time.sleep(_CONNECT_RETRY_S)

    def _ensure_database(self) -> None:
        conninfo = f"host={self._socket_dir} dbname=postgres user={ROLE} connect_timeout=10"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            found = connection.execute(
                "select 1 from pg_database where datname = %s", [DATABASE]
            ).fetchone()
            if found is None:
                connection.execute(f"create database {DATABASE}")

    def postmaster(self) -> int | None:
        """The pid, in our namespace, of the process that listens on the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(5.0)
            try:
                probe.connect(str(self._socket_dir / ".s.PGSQL.5432"))
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", raw)[0]
        return pid

    # Failing

    def _log_tail(self) -> str:
        try:
            return self._log.read_text(errors="replace")[-2_000:]
        except FileNotFoundError:
            return ""

    def _failure(self, what: str, log: str) -> SetupError | InfrastructureError:
        if _FULL in what + log or "Disk quota exceeded" in log:
            return SetupError(
                f"{what}: the disk under {self._root} is full.",
                action="Free some space, then start again.",
            )
        return InfrastructureError(f"{what}: {log[-1_500:]}", action=f"Its log is {self._log}.")

    def _os_failure(self, error: OSError) -> SetupError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return SetupError(
                f"The disk under {self._root} is full.",
                action="Free some space, then start again.",
            )
        return SetupError(
            f"The control database's folders cannot be used: {error}.",
            action="Choose another --data-dir.",
        )


def _require_owner(path: Path, uid: int) -> None:
    owner = path.stat().st_uid
    if owner != uid:
        raise SetupError(
            f"{path} belongs to uid {owner}, not to uid {uid}.",
            action="Run as the user it belongs to, or choose another --data-dir.",
        )


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, DATABASE_UID, DATABASE_UID)


def _run(jail: Jail, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            jail.argv(command),
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_INITDB_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(
            f"{Path(command[0]).name} was not done after {_INITDB_DEADLINE_S:.0f} s."
        ) from error


def _end(pid: int, deadline_s: float) -> None:
    """SIGINT is Postgres's fast shutdown; SIGKILL after the deadline."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        gone = select.poll()
        gone.register(process, select.POLLIN)
        for number in (signal.SIGINT, signal.SIGKILL):
            signal.pidfd_send_signal(process, number)
            if gone.poll(deadline_s * 1000):
                return
    except ProcessLookupError:
        return
    finally:
        os.close(process)
