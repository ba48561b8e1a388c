"""Databases with no platform around: waking, branching a live gigabyte, two filesystems."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figure import Figure
from fleet.domain.ids import EndpointId, TimelineId
from fleet.drivers.postgres.timelines import LocalTimelines

ROUNDS = 5
GIGABYTE_CHUNKS = 20
# 20 chunks of 50 MiB: one statement stays below the app role's statement timeout.
FILL = """INSERT INTO filler
SELECT g, repeat(md5(random()::text), 32) FROM generate_series(1, 48000) g"""
XFS_GIB = 12


async def measure_databases() -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="af-bench-") as plain:
        figures += await _measure(Path(plain), "")
        figures += await _measure_gigabyte(Path(plain), "plain copy", target=None)
    with _xfs() as mounted:
        if mounted is None:
            return figures
        figures += await _measure_gigabyte(mounted, "XFS reflink", target=0.150)
    return figures


async def _measure(folder: Path, suffix: str) -> list[Figure]:
    async with _OpenTimelines(folder) as timelines:
        creates, firsts = [], []
        for n in range(ROUNDS):
            timeline, endpoint = TimelineId(f"bench{n}.dev"), EndpointId(f"bench{n}.dev")
            began = time.monotonic()
            await timelines.create(timeline)
            await timelines.point(endpoint, timeline)
            creates.append(time.monotonic() - began)
            await timelines.query(endpoint, "SELECT 1")
            await timelines.suspend(endpoint)
            began = time.monotonic()
            await timelines.query(endpoint, "SELECT 1")
            firsts.append(time.monotonic() - began)
        return [
            Figure(name=f"new database{suffix}", unit="s", runs=tuple(creates)),
            Figure(
                name=f"sleeping database, first row{suffix}",
                unit="s",
                runs=tuple(firsts),
                target=0.050,
            ),
        ]


async def _measure_gigabyte(folder: Path, how: str, target: float | None) -> list[Figure]:
    async with _OpenTimelines(folder) as timelines:
        source, endpoint = TimelineId("big.dev"), EndpointId("big.dev")
        await timelines.create(source)
        await timelines.point(endpoint, source)
        await timelines.query(endpoint, "CREATE TABLE filler (id int, body text)", read_only=False)
        for _ in range(GIGABYTE_CHUNKS):
            await timelines.query(endpoint, FILL, read_only=False)
        branches, starts = [], []
        for n in range(ROUNDS):
            branch = TimelineId(f"big.branch{n}")
            began = time.monotonic()
            made = await timelines.branch(source, branch)
            branches.append(time.monotonic() - began)
            address = EndpointId(f"big.branch{n}")
            began = time.monotonic()
            await timelines.point(address, branch)
            await timelines.query(address, "SELECT id FROM filler LIMIT 1")
            starts.append(time.monotonic() - began)
            await timelines.remove_endpoint(address)
            await timelines.delete(branch)
        size = await timelines.query(
            endpoint, "SELECT pg_size_pretty(pg_database_size(current_database()))"
        )
        note = f"{size.rows[0][0]}, {'copied' if made.copied else 'reflinked'}"
        return [
            Figure(
                name=f"branch of a live 1 GB database, {how}",
                unit="s",
                runs=tuple(branches),
                target=target,
                note=note,
            ),
            Figure(name=f"  its start and first row, {how}", unit="s", runs=tuple(starts)),
        ]


class _OpenTimelines:
    """A `LocalTimelines` over a folder, closed and its run directory removed."""

    def __init__(self, folder: Path) -> None:
        self._run = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
        self._inner = LocalTimelines(folder, self._run, 300.0)

    async def __aenter__(self) -> LocalTimelines:
        await self._inner.start()
        return self._inner

    async def __aexit__(self, *_: object) -> None:
        await self._inner.close()
        await asyncio.to_thread(shutil.rmtree, self._run, True)


@contextmanager
def _xfs() -> Iterator[Path | None]:
    """A loop-mounted XFS; None where that cannot be had (not root, no mkfs.xfs)."""
    if os.geteuid() != 0 or shutil.which("mkfs.xfs") is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="af-xfs-"))
    image, mount = folder / "image", folder / "mount"
    mount.mkdir()
    subprocess.run(["truncate", "-s", f"{XFS_GIB}G", str(image)], check=True)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=False)
        shutil.rmtree(folder, ignore_errors=True)
