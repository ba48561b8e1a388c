"""The `Timelines` contract: isolation, migrations, deletion, restarts, reflinks."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fleet.domain.timeline import Migration
from fleet.drivers.bubblewrap.jail import APP_UID, DATABASE_UID
from fleet.drivers.postgres.timelines import LocalTimelines
from fleet.errors import (
    MigrationFailed,
    SqlFailed,
)
from tests.contract.timelines_beginnings import (
    DEV,
    ENDPOINT,
    FIRST,
    OTHER,
    TWIN,
    connect,
    postgres_main_processes,
    prepared,
    root,
    scalar,
    started,
    timelines,
    write,
)

__all__ = ["prepared", "root", "timelines"]

# Isolation


_FORBIDDEN = (
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "CREATE EXTENSION file_fdw",
    "CREATE EXTENSION dblink",
    "SET ROLE postgres",
    "CREATE ROLE x",
    "CREATE DATABASE x",
    "ALTER SYSTEM SET fsync = off",
    "SELECT rolpassword FROM pg_catalog.pg_authid",
    "SELECT pg_catalog.pg_backup_start('x')",
)


async def test_the_app_role_may_do_nothing_that_reaches_outside_its_database(timelines):
    for sql in _FORBIDDEN:  # one database for all: a refused statement changes nothing
        with pytest.raises(SqlFailed) as caught:
            await timelines.query(ENDPOINT, sql, read_only=False)
        assert caught.value.sqlstate == "42501"


async def test_the_app_role_has_no_attribute_of_power_and_owns_its_database(timelines):
    result = await timelines.query(
        ENDPOINT,
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,"
        " (SELECT datdba = r.oid FROM pg_database WHERE datname = 'app')"
        " FROM pg_roles r WHERE rolname = 'app'",
    )
    assert result.rows == ((False, False, False, False, False, True),)


async def test_trusted_extensions_are_allowed(timelines):
    await write(timelines, "CREATE EXTENSION pg_trgm")


async def test_nobody_logs_in_as_the_superuser_through_the_socket(timelines):
    for user, password in (("postgres", ""), ("postgres", "guess"), ("other", "")):
        with pytest.raises(psycopg.OperationalError):
            await connect(timelines, user=user, password=password)


async def test_the_app_role_has_timeouts(timelines):
    async with await connect(timelines) as connection:
        for name in (
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
        ):
            row = await (await connection.execute(f"SHOW {name}")).fetchone()
            assert row[0] != "0"


async def test_a_statement_that_runs_too_long_is_ended(timelines, monkeypatch):
    monkeypatch.setattr("fleet.drivers.postgres.timelines.session._QUERY_TIMEOUT_S", 1)
    with pytest.raises(SqlFailed) as caught:
        await timelines.query(ENDPOINT, "SELECT pg_sleep(60)")
    assert caught.value.sqlstate == "57014"


async def test_postgres_is_neither_root_nor_able_to_see_the_host(timelines, root):
    await timelines.wake(ENDPOINT)
    (pid,) = postgres_main_processes(root)
    status = Path(f"/proc/{pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert set(uids) == {str(DATABASE_UID if os.geteuid() == 0 else os.geteuid())}
    assert "CapEff:\t0000000000000000" in status
    assert not Path(f"/proc/{pid}/root/home").exists()
    assert not Path(f"/proc/{pid}/root{root}").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the app's uid")
async def test_another_uid_that_is_given_the_folder_can_connect(timelines, root):
    folder = (await timelines.endpoint(ENDPOINT)).directory
    ask = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('.s.PGSQL.5432');"
        "s.sendall(bytes.fromhex('0000000804d2162f')); print(s.recv(1))"
    )
    for _ in range(2):  # through the listener, then directly
        process = await asyncio.create_subprocess_exec(
            "/usr/bin/python3" if Path("/usr/bin/python3").exists() else "python3",
            "-c",
            ask,
            cwd=folder,
            user=APP_UID,
            group=APP_UID,
            extra_groups=[],
            stdout=subprocess.PIPE,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 20)
        assert output.strip() == b"b'N'"


# Migrations

SECOND = Migration(
    path="db/migrations/0002_notes.sql",
    sql="ALTER TABLE people ADD COLUMN notes text;\n"
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;\n",
)


async def test_migrations_apply_in_number_order_and_once(timelines):
    assert await timelines.migrate(ENDPOINT, [SECOND, FIRST]) == [FIRST.path, SECOND.path]
    assert await timelines.migrate(ENDPOINT, [FIRST, SECOND]) == []
    assert await timelines.tables(ENDPOINT) == {"people": ["id", "name", "notes"]}
    result = await timelines.query(
        ENDPOINT, "SELECT number, name, length(sha256) FROM appfleet.migrations ORDER BY number"
    )
    assert result.rows == ((1, "0001_people.sql", 64), (2, "0002_notes.sql", 64))


async def test_two_runners_at_once_apply_each_migration_once(timelines):
    done = await asyncio.gather(*(timelines.migrate(ENDPOINT, [FIRST, SECOND]) for _ in range(4)))
    assert sorted(path for paths in done for path in paths) == [FIRST.path, SECOND.path]


async def test_an_edited_migration_is_refused(timelines):
    await timelines.migrate(ENDPOINT, [FIRST])
    edited = FIRST.model_copy(update={"sql": FIRST.sql + "-- more\n"})
    with pytest.raises(MigrationFailed, match="edited") as caught:
        await timelines.migrate(ENDPOINT, [edited, SECOND])
    assert caught.value.path == FIRST.path
    assert "notes" not in (await timelines.tables(ENDPOINT))["people"]


async def test_two_migrations_with_one_number_are_refused(timelines):
    twin = Migration(path="db/migrations/0001_other.sql", sql="CREATE TABLE other ();")
    with pytest.raises(MigrationFailed, match="same number"):
        await timelines.migrate(ENDPOINT, [FIRST, twin])
    assert await timelines.tables(ENDPOINT) == {}


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("CREATE TABLE fine (n int);\n\nSELECT 1,\n  nonsense\nFROM people;", 4),  # a position
        ("CREATE TABLE fine (n int);\n\n-- a;\nCREATE TABLE people (n int);", 4),  # none
        ("CREATE TABLE fine (n int);\nCREATE TABEL x (n int);", 2),  # syntax
        ("CREATE TABLE fine (n int);\nCOMMIT;\n", 2),
    ],
)
async def test_a_failing_migration_names_file_and_line_and_leaves_nothing(timelines, sql, line):
    await timelines.migrate(ENDPOINT, [FIRST])
    bad = Migration(path="db/migrations/0002_bad.sql", sql=sql)
    with pytest.raises(MigrationFailed) as caught:
        await timelines.migrate(ENDPOINT, [FIRST, bad])
    assert (caught.value.path, caught.value.line) == (bad.path, line)
    assert list(await timelines.tables(ENDPOINT)) == ["people"]


async def test_a_badly_named_migration_is_refused(timelines):
    with pytest.raises(MigrationFailed, match="not named"):
        await timelines.migrate(ENDPOINT, [Migration(path="db/migrations/x.sql", sql="")])


# Deletion and restarts


async def test_deleting_leaves_nothing(timelines, root):
    await timelines.branch(DEV, TWIN)
    await timelines.point(OTHER, TWIN)
    async with await connect(timelines, OTHER):
        await timelines.delete(TWIN)
    await timelines.remove_endpoint(OTHER)
    await timelines.delete(TWIN)
    await timelines.remove_endpoint(OTHER)
    await timelines.remove_endpoint(ENDPOINT)
    await timelines.delete(DEV)
    assert (await timelines.timelines(), await timelines.endpoints()) == ([], [])
    assert postgres_main_processes(root) == []
    left = [p for p in root.rglob("*") if "crm" in p.name or p.is_socket()]
    assert left == []
    assert [list((root / "run" / name).iterdir()) for name in ("e", "l", "c")] == [[], [], []]


async def test_restarts_keep_data_endpoints_and_addresses(root):
    async with started(root) as timelines:
        await timelines.create(DEV)
        before = await timelines.point(ENDPOINT, DEV)
        await timelines.migrate(ENDPOINT, [FIRST])
    assert postgres_main_processes(root) == []
    inode = Path(before.directory).stat().st_ino
    for _ in range(2):
        async with started(root) as timelines:
            assert await timelines.endpoints() == [before]
            assert Path(before.directory).stat().st_ino == inode
            async with await connect(timelines) as connection:
                row = await (await connection.execute("SELECT name FROM people")).fetchone()
            assert row == ("a;b",)


_DIES_WITH_COMPUTES_AWAKE = """
import asyncio, os, sys
from pathlib import Path
from fleet.drivers.postgres.timelines import LocalTimelines

async def main():
    root = Path(sys.argv[1])
    timelines = LocalTimelines(root / "data", root / "run", 300)
    await timelines.start()
    await timelines.create("crm-x7k2.dev")
    await timelines.point("crm-x7k2.dev", "crm-x7k2.dev")
    await timelines.query(
        "crm-x7k2.dev", "CREATE TABLE t AS SELECT 42 AS n", read_only=False)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


async def test_after_a_sigkill_of_the_platform_computes_die_and_data_lives(root):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _DIES_WITH_COMPUTES_AWAKE, str(root)
    )
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
    async with started(root) as timelines:
        assert await scalar(timelines, "SELECT n FROM t") == 42
        assert len(postgres_main_processes(root)) == 1


# Reflinks


@pytest.fixture
def xfs(root: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("mkfs.xfs is missing: apt install xfsprogs")
    image, mount = root / "xfs.img", root / "xfs"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True, timeout=60)
    done = subprocess.run(
        ["mount", "-o", "loop", image, mount], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"this kernel cannot loop-mount XFS: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", mount], check=True, timeout=60)


async def test_on_a_reflinking_filesystem_a_branch_shares_its_blocks(xfs, root):
    timelines = LocalTimelines(xfs / "data", root / "run", 300.0)
    await timelines.start()
    try:
        assert not (await timelines.create(DEV)).copied
        await timelines.point(ENDPOINT, DEV)
        await write(
            timelines, "CREATE TABLE t AS SELECT repeat('x', 900) FROM generate_series(1, 50000)"
        )
        free = shutil.disk_usage(xfs).free
        made = await timelines.branch(DEV, TWIN)
        used = free - shutil.disk_usage(xfs).free
        await timelines.point(OTHER, TWIN)
        assert not made.copied
        assert used < 20_000_000, "the table alone has 50 MB"
        assert await scalar(timelines, "SELECT count(*) FROM t", OTHER) == 50_000
    finally:
        await timelines.close()
