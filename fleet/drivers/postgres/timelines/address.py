"""An endpoint's socket: our listener while the compute sleeps, Postgres's own while it is awake.

The listener is bound once, under a name of its own, and lives as long as this object. What clients
see is a hard link, replaced by rename: no connection can fall between the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from fleet.drivers.postgres.timelines.layout import SOCKET_NAME
from fleet.errors import AppfleetError

_BACKLOG = 1_024
_CHUNK = 65_536

Holding = Callable[[], AbstractAsyncContextManager[Path]]


class Address:
    """`holding` wakes the compute, yields its socket's path, and keeps it awake inside."""

    def __init__(self, folder: Path, listener: Path, holding: Holding) -> None:
        self.folder = folder
        self._listener_path = listener
        self._holding = holding
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        # A sandbox may have this folder bound since before a restart: keep it, swap what is in it.
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self._listener_path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(self._listener_path))
        self._listener_path.chmod(0o777)
        self._listener.listen(_BACKLOG)
        self.show_listener()
        self._spawn(self._accept(self._listener))

    def show_listener(self) -> None:
        self.show(self._listener_path)

    def show(self, path: Path) -> None:
        """Clients that connect from now on reach the socket at `path` (same filesystem)."""
        new = self._listener_path.with_suffix(".new")
        new.unlink(missing_ok=True)
        os.link(path, new)
        new.rename(self.folder / SOCKET_NAME)
        # Renaming one link of a file onto another of its links does nothing, and leaves both.
        new.unlink(missing_ok=True)

    async def close(self) -> None:
        (self.folder / SOCKET_NAME).unlink(missing_ok=True)
        self._listener_path.unlink(missing_ok=True)
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            client.setblocking(False)
            self._spawn(self._serve(client))

    async def _serve(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.setblocking(False)
            try:
                async with self._holding() as path:
                    await loop.sock_connect(server, str(path))
            except (AppfleetError, OSError) as error:
                with contextlib.suppress(OSError):
                    await loop.sock_sendall(client, _fatal(str(error)))
                return
            await asyncio.gather(_pump(client, server), _pump(server, client))


async def _pump(source: socket.socket, target: socket.socket) -> None:
    """One direction, until its end; a peer that is gone ends it too."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        while chunk := await loop.sock_recv(source, _CHUNK):
            await loop.sock_sendall(target, chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _fatal(message: str) -> bytes:
    """An ErrorResponse of the Postgres protocol, so that the client can say what is wrong."""
    fields = (("S", "FATAL"), ("V", "FATAL"), ("C", "57P03"), ("M", message))
    body = b"".join(f"{code}{text}\0".encode() for code, text in fields) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body
