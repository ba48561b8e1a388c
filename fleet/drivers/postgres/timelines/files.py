"""Timelines as folders: made whole under another name, renamed into place, renamed away to go."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

from fleet.domain.ids import TimelineId
from fleet.domain.timeline import Timeline
from fleet.drivers.postgres.timelines.clone import Cloner, sync_folder
from fleet.drivers.postgres.timelines.layout import Layout, private_folder, write_json

_SPARES = 2

# Writes the data directory and answers the LSN it ends at, "" where there is no source.
Fill = Callable[[Path], Awaitable[str]]
# See Postgres's src/include/catalog/pg_control.h: the state, then the latest checkpoint's LSN.
_CONTROL = struct.Struct("=16xI12xQ")
_SHUT_DOWN = 1


class TimelineFiles:
    """`spares` are copies of the template kept ready where copying takes time."""

    def __init__(self, layout: Layout, cloner: Cloner) -> None:
        self._layout = layout
        self._cloner = cloner
        self._refilling: asyncio.Task[None] | None = None

    def pgdata(self, timeline: TimelineId) -> Path:
        return self._layout.timeline(timeline) / "pgdata"

    def exists(self, timeline: TimelineId) -> bool:
        return self._layout.timeline(timeline).exists()

    def recorded(self, timeline: TimelineId) -> Timeline:
        return Timeline.model_validate_json(
            (self._layout.timeline(timeline) / "timeline.json").read_text()
        )

    def all(self) -> list[TimelineId]:
        folders = self._layout.timelines.iterdir()
        return sorted(TimelineId(f.name) for f in folders if not f.name.startswith("."))

    async def make(self, timeline: TimelineId, parent: TimelineId | None, fill: Fill) -> Timeline:
        """Whatever fails, nothing half-made is left in place."""
        started = perf_counter()
        making = private_folder(self._layout.unfinished / secrets.token_hex(8))
        try:
            lsn = await fill(making / "pgdata")
            made = Timeline(
                id=timeline,
                parent=parent,
                copied=not self._cloner.reflink,
                elapsed_s=perf_counter() - started,
                lsn=lsn,
            )
            write_json(making / "timeline.json", json.loads(made.model_dump_json()))
            making.rename(self._layout.timeline(timeline))
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
            raise
        return made

    async def from_template(self, target: Path) -> str:
        for spare in self._layout.spares.iterdir():
            spare.rename(target)
            self._refill()
            return ""
        await self.copy(self._layout.template / "pgdata", target)
        self._refill()
        return ""

    async def copy(self, source: Path, target: Path) -> str:
        """Of a data directory that no server has open."""
        await asyncio.to_thread(self._cloner.folder, source, target)
        return await asyncio.to_thread(_end_of, target)

    async def remove(self, timeline: TimelineId) -> None:
        trash = self._layout.trash / secrets.token_hex(8)
        try:
            self._layout.timeline(timeline).rename(trash)
        except FileNotFoundError:
            return
        await asyncio.to_thread(shutil.rmtree, trash)

    def start(self) -> None:
        """Removes what a killed process left half-made or half-gone."""
        for folder in (self._layout.trash, self._layout.unfinished):
            for left_over in folder.iterdir():
                shutil.rmtree(left_over)
        self._refill()

    def _refill(self) -> None:
        if self._cloner.reflink or (self._refilling and not self._refilling.done()):
            return
        self._refilling = asyncio.get_running_loop().create_task(self._make_spares())

    async def _make_spares(self) -> None:
        while len(list(self._layout.spares.iterdir())) < _SPARES:
            making = self._layout.unfinished / secrets.token_hex(8)
            await self.copy(self._layout.template / "pgdata", making)
            await asyncio.to_thread(sync_folder, making)
            making.rename(self._layout.spares / making.name)

    async def close(self) -> None:
        if self._refilling is not None:
            await asyncio.wait({self._refilling})


def _end_of(pgdata: Path) -> str:
    """The LSN a data directory was shut down at; "" when its server was killed."""
    state, lsn = _CONTROL.unpack_from((pgdata / "global" / "pg_control").read_bytes())
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}" if state == _SHUT_DOWN else ""
