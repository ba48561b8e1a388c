"""The `Timelines` contract, on the real driver: real Postgres, real jails, real sockets."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from fleet.domain.ids import EndpointId, TimelineId
from fleet.domain.timeline import ComputeState, Migration
from fleet.drivers.bubblewrap.jail import APP_UID, DATABASE_UID
from fleet.drivers.postgres.timelines import LocalTimelines
from fleet.drivers.postgres.timelines.compute import Compute
from fleet.errors import (
    Conflict,
    InfrastructureError,
    InvalidInput,
    MigrationFailed,
    NotFound,
    SqlFailed,
)

DEV = TimelineId("crm-x7k2.dev")
TWIN = TimelineId("crm-x7k2.twin-1")
ENDPOINT = EndpointId("crm-x7k2.dev")
OTHER = EndpointId("crm-x7k2.twin-1")


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A data directory with a template in it, so that initdb runs once and not per test."""
    folder = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))

    async def prepare() -> None:
        async with started(folder):
            pass

    asyncio.run(prepare())
    shutil.rmtree(folder / "data" / "timelines" / ".spares")
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def root(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Spares are copied and forced to disk in the background: most of the time that a test took.
    monkeypatch.setattr("fleet.drivers.postgres.timelines.files._SPARES", 0)
    folder = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    subprocess.run(["cp", "-a", "--reflink=auto", prepared, folder / "data"], check=True)
    yield folder
    shutil.rmtree(folder)


@asynccontextmanager
async def started(root: Path, idle_timeout_s: float = 300.0) -> AsyncIterator[LocalTimelines]:
    timelines = LocalTimelines(root / "data", root / "run", idle_timeout_s)
    await timelines.start()
    try:
        yield timelines
    finally:
        await timelines.close()


@pytest.fixture
async def timelines(root: Path) -> AsyncIterator[LocalTimelines]:
    async with started(root) as timelines:
        await timelines.create(DEV)
        await timelines.point(ENDPOINT, DEV)
        yield timelines


async def connect(timelines: LocalTimelines, endpoint: EndpointId = ENDPOINT, **more: str):
    """As an app does: through the endpoint's folder, and nothing else."""
    folder = (await timelines.endpoint(endpoint)).directory
    return await psycopg.AsyncConnection.connect(
        host=folder, user=more.pop("user", "app"), dbname="app", autocommit=True, **more
    )


async def write(timelines: LocalTimelines, sql: str, endpoint: EndpointId = ENDPOINT) -> None:
    await timelines.query(endpoint, sql, read_only=False)


async def scalar(timelines: LocalTimelines, sql: str, endpoint: EndpointId = ENDPOINT) -> object:
    return (await timelines.query(endpoint, sql)).rows[0][0]


async def until(timelines: LocalTimelines, state: ComputeState) -> None:
    async with asyncio.timeout(10):
        while (await timelines.endpoint(ENDPOINT)).compute is not state:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def postgres_main_processes(root: Path) -> list[int]:
    """Host pids of the computes of this test: bwrap, its init, then Postgres."""
    found = []
    for proc in Path("/proc").iterdir():
        try:
            argv = (proc / "cmdline").read_bytes() if proc.name.isdigit() else b""
            if b"/bwrap\0" in argv and f"\0--bind\0{root}/".encode() in argv:
                init = (proc / "task" / proc.name / "children").read_text().split()
                for child in init:
                    if Path(f"/proc/{child}/comm").read_text() != "bwrap\n":
                        continue  # `proc` was the init itself
                    inner = Path(f"/proc/{child}/task/{child}/children").read_text().split()
                    found += [
                        int(pid)
                        for pid in inner
                        if "postgres" in Path(f"/proc/{pid}/comm").read_text()
                    ]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def processes_below(root: Path) -> list[str]:
    """Any process, jailed or half-way into its jail, that was started on this test's folders."""
    found = []
    for proc in Path("/proc").iterdir():
        try:
            argv = (proc / "cmdline").read_bytes() if proc.name.isdigit() else b""
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"\0{root}/".encode() in argv:
            found.append(argv.decode())
    return found


# Timelines


async def test_a_created_timeline_answers_queries_as_the_app_role(timelines):
    made = await timelines.create(DEV)
    assert (made.id, made.parent) == (DEV, None)
    result = await timelines.query(
        ENDPOINT,
        "SELECT current_user AS who, 1 AS n, 1.50::numeric AS price, null AS nothing,"
        " true AS yes, date '2026-01-02' AS day, '{\"a\": [1]}'::jsonb AS doc",
    )
    assert result.columns == ("who", "n", "price", "nothing", "yes", "day", "doc")
    assert result.rows == (("app", 1, "1.50", None, True, "2026-01-02", {"a": [1]}),)
    assert await timelines.timelines() == [DEV]


async def test_rows_are_bounded_even_when_the_statement_has_no_end(timelines):
    result = await timelines.query(ENDPOINT, "SELECT generate_series(1, 1000000000)", max_rows=3)
    assert [row[0] for row in result.rows] == [1, 2, 3]
    assert result.truncated


async def test_a_write_reports_how_many_rows_it_touched(timelines):
    await write(timelines, "CREATE TABLE t (n int)")
    result = await timelines.query(
        ENDPOINT, "INSERT INTO t SELECT generate_series(1, 7)", read_only=False
    )
    assert result.row_count == 7
    assert (await timelines.query(ENDPOINT, "TABLE t", max_rows=2)).truncated


_WRITES_IN_DISGUISE = (
    "CREATE TABLE t (n int)",
    "DO $$ BEGIN SET TRANSACTION READ WRITE; CREATE TABLE t (n int); END $$",
    "WITH x AS (SELECT set_config('transaction_read_only', 'off', true)) SELECT * FROM x",
    "COMMIT; CREATE TABLE t (n int)",
)


async def test_a_read_only_query_cannot_write(timelines):
    for sql in _WRITES_IN_DISGUISE:
        with pytest.raises(SqlFailed):
            await timelines.query(ENDPOINT, sql)
        assert await timelines.tables(ENDPOINT) == {}, sql


async def test_a_refused_statement_carries_sqlstate_and_hint(timelines):
    await write(timelines, "CREATE TABLE people (full_name text)")
    with pytest.raises(SqlFailed) as caught:
        await timelines.query(ENDPOINT, "SELECT fullname FROM people")
    assert caught.value.sqlstate == "42703"
    assert "full_name" in caught.value.action


async def test_unknown_things_are_not_found_and_bad_ids_are_refused(timelines):
    with pytest.raises(NotFound):
        await timelines.endpoint(EndpointId("nothing"))
    with pytest.raises(NotFound):
        await timelines.point(OTHER, TimelineId("nothing"))
    with pytest.raises(NotFound):
        await timelines.branch(TimelineId("nothing"), TWIN)
    for bad in ("../x", "", ".template", "a/b"):
        with pytest.raises(InvalidInput):
            await timelines.create(TimelineId(bad))


async def test_tables_lists_the_public_tables_with_their_columns(timelines):
    await write(timelines, "CREATE TABLE b (id int, name text)")
    await write(timelines, "CREATE TABLE a ()")
    assert await timelines.tables(ENDPOINT) == {"a": [], "b": ["id", "name"]}


async def test_a_spare_copy_of_the_template_is_used_and_made_again(root, monkeypatch):
    monkeypatch.setattr("fleet.drivers.postgres.timelines.files._SPARES", 1)
    spares = root / "data" / "timelines" / ".spares"
    async with started(root):
        pass  # closing waits for the spare
    (before,) = spares.iterdir()
    inode = before.stat().st_ino
    async with started(root) as timelines:
        await timelines.create(DEV)
        await timelines.point(ENDPOINT, DEV)
        assert await scalar(timelines, "SELECT 1") == 1
    assert (root / "data" / "timelines" / DEV / "pgdata").stat().st_ino == inode
    (after,) = spares.iterdir()
    assert after.stat().st_ino != inode


# Branches


@pytest.mark.parametrize("live", [True, False])
async def test_a_branch_and_its_source_do_not_see_each_others_writes(timelines, live):
    await write(timelines, "CREATE TABLE t AS SELECT 'before' AS word")
    if not live:
        await timelines.suspend(ENDPOINT, force=True)
    made = await timelines.branch(DEV, TWIN)
    assert made.parent == DEV
    await timelines.point(OTHER, TWIN)
    await write(timelines, "UPDATE t SET word = 'source'")
    await write(timelines, "UPDATE t SET word = 'branch'", OTHER)
    assert await scalar(timelines, "SELECT word FROM t") == "source"
    assert await scalar(timelines, "SELECT word FROM t", OTHER) == "branch"


async def test_a_branch_taken_under_writes_is_consistent(timelines):
    await write(timelines, "CREATE TABLE accounts (id int PRIMARY KEY, amount int)")
    await write(timelines, "INSERT INTO accounts SELECT i, 100 FROM generate_series(0, 499) i")
    await write(timelines, "CREATE TABLE moves (id bigserial PRIMARY KEY, pad text)")
    stop = asyncio.Event()

    async def transfer(seed: int) -> int:
        done = 0
        async with await connect(timelines) as connection:
            while not stop.is_set():
                low, high = sorted(((seed + done) % 500, (seed * 7 + done * 3) % 500))
                async with connection.transaction():
                    await connection.execute(
                        "UPDATE accounts SET amount = amount - 1 WHERE id = %s", (low,)
                    )
                    await connection.execute(
                        "UPDATE accounts SET amount = amount + 1 WHERE id = %s", (high,)
                    )
                    await connection.execute("INSERT INTO moves (pad) VALUES (repeat('x', 300))")
                done += 1
        return done

    writers = [asyncio.create_task(transfer(seed)) for seed in range(1, 5)]
    try:
        for number in range(3):
            twin = TimelineId(f"{DEV}.{number}")
            await timelines.branch(DEV, twin)
            await timelines.point(OTHER, twin)
            assert await scalar(timelines, "SELECT sum(amount) FROM accounts", OTHER) == 50_000
            assert await scalar(timelines, "SELECT count(*) FROM moves", OTHER) > 0
            await write(timelines, "ALTER TABLE moves ADD COLUMN extra int", OTHER)
    finally:
        stop.set()
        done = await asyncio.gather(*writers)
    assert min(done) > 0
    assert await scalar(timelines, "SELECT count(*) FROM moves") == sum(done)


async def test_creating_and_branching_again_change_nothing(timelines):
    first = await timelines.branch(DEV, TWIN)
    assert await timelines.branch(DEV, TWIN) == first
    with pytest.raises(Conflict):
        await timelines.create(TWIN)


# Waking and suspending


async def test_twenty_connections_at_once_wake_one_compute_and_all_answer(timelines, root):
    async def ask(number: int) -> int:
        async with await connect(timelines) as connection:
            row = await (await connection.execute("SELECT %s::int", (number,))).fetchone()
            return row[0]

    assert (await timelines.endpoint(ENDPOINT)).compute is ComputeState.ASLEEP
    assert await asyncio.gather(*(ask(n) for n in range(20))) == list(range(20))
    assert len(postgres_main_processes(root)) == 1


async def test_connections_survive_being_made_while_the_compute_goes_up_and_down(timelines):
    await write(timelines, "CREATE TABLE hits (n int)")

    suspends, done = 0, asyncio.Event()

    async def hit_until_done() -> int:
        count = 0
        while not done.is_set():
            async with await connect(timelines) as connection:
                await connection.execute("INSERT INTO hits VALUES (1)")
            count += 1
            await asyncio.sleep(0.02)
        return count

    hits = asyncio.gather(*(hit_until_done() for _ in range(3)))
    async with asyncio.timeout(60):
        while suspends < 5 and not hits.done():
            await timelines.suspend(ENDPOINT)
            suspends += (await timelines.endpoint(ENDPOINT)).compute is ComputeState.ASLEEP
            await asyncio.sleep(0.005)
    done.set()
    made = sum(await hits)
    assert await scalar(timelines, "SELECT count(*) FROM hits") == made


async def test_a_call_cancelled_while_its_compute_starts_leaves_it_usable_and_no_orphan(root):
    async with started(root) as timelines:
        await timelines.create(DEV)
        await timelines.point(ENDPOINT, DEV)
        calls = (
            lambda: timelines.wake(ENDPOINT),
            lambda: timelines.query(ENDPOINT, "SELECT 1"),
            lambda: timelines.migrate(ENDPOINT, [FIRST]),
        )
        for number in range(18):
            call = asyncio.create_task(calls[number % 3]())
            await asyncio.sleep(number * 0.0007)  # a jail takes some 5 ms to close
            call.cancel()
            await asyncio.wait({call}, timeout=5)
            assert call.done(), f"hangs when cancelled after {number * 0.7:.1f} ms"
            await asyncio.wait_for(timelines.wake(ENDPOINT), 20)
            assert len(postgres_main_processes(root)) == 1
            await timelines.suspend(ENDPOINT, force=True)
        closed_in_the_middle = asyncio.create_task(timelines.wake(ENDPOINT))
        await asyncio.sleep(0.002)
        closed_in_the_middle.cancel()
    assert processes_below(root) == []


async def test_a_compute_killed_at_any_moment_of_its_start_leaves_no_process(timelines, root):
    """What a loop that is torn down does: nothing shields the start itself then."""
    compute = Compute(
        root / "data" / "timelines" / DEV / "pgdata", root / "run" / "c" / "x", root / "lock"
    )
    for number in range(12):
        start = asyncio.create_task(compute.start())
        await asyncio.sleep(number * 0.0007)
        start.cancel()
        await asyncio.wait({start}, timeout=5)
        assert start.done()
        await compute.kill()
        assert processes_below(root) == []


async def test_once_awake_clients_talk_to_postgres_itself(timelines):
    await timelines.wake(ENDPOINT)
    folder = (await timelines.endpoint(ENDPOINT)).directory
    socket = Path(folder, ".s.PGSQL.5432").stat()
    assert socket.st_uid == (DATABASE_UID if os.geteuid() == 0 else os.geteuid())
    assert [p.name for p in Path(folder).iterdir()] == [".s.PGSQL.5432"]


async def test_suspending_and_waking_keeps_the_data_and_the_address(timelines):
    await write(timelines, "CREATE TABLE t AS SELECT 42 AS n")
    before = (await timelines.endpoint(ENDPOINT)).directory
    await timelines.suspend(ENDPOINT, force=True)
    asleep = await timelines.endpoint(ENDPOINT)
    assert (asleep.compute, asleep.directory) == (ComputeState.ASLEEP, before)
    assert await scalar(timelines, "SELECT n FROM t") == 42


async def test_a_connected_client_keeps_its_compute_awake(timelines):
    async with await connect(timelines) as connection:
        await timelines.suspend(ENDPOINT)
        assert (await timelines.endpoint(ENDPOINT)).compute is ComputeState.AWAKE
        await connection.execute("SELECT 1")
        async with await connect(timelines) as second:
            await second.execute("SELECT 1")


async def test_an_idle_compute_falls_asleep_by_itself_but_not_under_a_client(root):
    async with started(root, idle_timeout_s=0.4) as timelines:
        await timelines.create(DEV)
        await timelines.point(ENDPOINT, DEV)
        async with await connect(timelines) as connection:
            await asyncio.sleep(1.2)
            await connection.execute("SELECT 1")
        await until(timelines, ComputeState.ASLEEP)
        assert await scalar(timelines, "SELECT 1") == 1


async def test_a_killed_compute_recovers_at_the_next_connection(timelines, root):
    await write(timelines, "CREATE TABLE t AS SELECT 42 AS n")
    (pid,) = postgres_main_processes(root)
    os.kill(pid, signal.SIGKILL)
    await until(timelines, ComputeState.ASLEEP)
    async with await connect(timelines) as connection:
        row = await (await connection.execute("SELECT n FROM t")).fetchone()
    assert row == (42,)


async def test_a_client_is_told_why_a_compute_cannot_wake(timelines, root):
    conf = root / "data" / "timelines" / DEV / "pgdata" / "postgresql.conf"
    conf.write_text("nonsense = 1\n")
    with pytest.raises(psycopg.OperationalError, match="Postgres ended"):
        await connect(timelines)
    with pytest.raises(InfrastructureError, match="nonsense"):
        await timelines.query(ENDPOINT, "SELECT 1")
    conf.write_text("")
    assert await scalar(timelines, "SELECT 1") == 1


async def test_pointing_elsewhere_keeps_the_address_and_changes_the_data(timelines):
    await write(timelines, "CREATE TABLE t AS SELECT 'dev' AS word")
    await timelines.branch(DEV, TWIN)
    await timelines.point(OTHER, TWIN)
    await write(timelines, "UPDATE t SET word = 'twin'", OTHER)
    before = await timelines.endpoint(ENDPOINT)
    after = await timelines.point(ENDPOINT, TWIN)
    assert after.directory == before.directory
    assert await scalar(timelines, "SELECT word FROM t") == "twin"
    async with await connect(timelines) as connection:
        row = await (await connection.execute("SELECT word FROM t")).fetchone()
    assert row == ("twin",)


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

FIRST = Migration(
    path="db/migrations/0001_people.sql",
    sql="-- people\nCREATE TABLE people (\n  id int PRIMARY KEY,\n  name text\n);\n"
    "INSERT INTO people VALUES (1, 'a;b');\n",
)
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
