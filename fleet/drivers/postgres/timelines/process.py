"""A jailed process that can be ended whole at any moment of its life, in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)
UNKNOWN_EXIT = -1  # given up on before it was seen to end
_END_DEADLINE_S = 5.0


class JailedProcess:
    """Started by the constructor, in one step: there is no moment at which it is not ours to end.

    (asyncio's own start can be cancelled half-way, and then kills bwrap, but not its child.)
    """

    def __init__(self, argv: Sequence[str], inherited: int) -> None:
        self._popen = subprocess.Popen(
            argv,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(inherited,),
            start_new_session=True,
        )
        self.pid = self._popen.pid
        # A pid may be another process's by the time it is used; a descriptor never is.
        self._descriptor = os.pidfd_open(self.pid)

    @asynccontextmanager
    async def stderr(self) -> AsyncIterator[asyncio.StreamReader]:
        """`exit_code` may be awaited inside only; `end` may run meanwhile, so it has its own."""
        self._watched = os.dup(self._descriptor)
        reader = asyncio.StreamReader()
        try:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), self._popen.stderr
            )
            try:
                yield reader
            finally:
                transport.close()
        finally:
            os.close(self._watched)

    async def exit_code(self) -> int:
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(self._watched, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._watched)
        return self._popen.wait()  # it has ended: this only collects it

    async def end(self) -> None:
        """Kills all of it. Goes on in its thread when the caller is cancelled."""
        try:
            async with asyncio.timeout(_END_DEADLINE_S):
                await asyncio.to_thread(self._end)
        except (TimeoutError, subprocess.TimeoutExpired):
            _log.warning("a killed process has not ended", pid=self.pid)
            with contextlib.suppress(OSError):  # the thread may have closed it by now
                self._signal(signal.SIGKILL)

    def _end(self) -> None:
        # Killing bwrap is not enough: until its child has asked to die with it, the child lives
        # on, as an orphan. Stopped, bwrap can neither fork nor end, so what /proc says holds.
        try:
            self._signal(signal.SIGSTOP)
            if self._is_stopped():
                for child in children(self.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)  # the namespace's init: all in it go too
            self._signal(signal.SIGKILL)
            self._popen.wait(_END_DEADLINE_S)
        finally:
            os.close(self._descriptor)

    def _is_stopped(self) -> bool:
        """Waits until it is, or has ended."""
        options = os.WSTOPPED | os.WEXITED | os.WNOWAIT
        try:
            state = os.waitid(os.P_PIDFD, self._descriptor, options)
        except ChildProcessError:
            return False  # ended and collected
        return state is not None and state.si_code == os.CLD_STOPPED

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for word in text.split()]


async def lock_in_thread(descriptor: int) -> None:
    """An exclusive flock. The thread is a daemon: one that waits for ever must not keep us here."""
    loop = asyncio.get_running_loop()
    locked: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not locked.done():
            locked.set_result(None)

    def work() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell)

    threading.Thread(target=work, daemon=True, name="timeline-lock").start()
    await locked
