"""The `Timelines` contract, on the real driver: real Postgres, real jails, real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psycopg
import pytest

from fleet.domain.ids import EndpointId, TimelineId
from fleet.domain.timeline import ComputeState
from fleet.drivers.bubblewrap.jail import DATABASE_UID
from fleet.drivers.postgres.timelines.compute import Compute
from fleet.errors import (
    Conflict,
    InfrastructureError,
    InvalidInput,
    NotFound,
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
    processes_below,
    root,
    scalar,
    started,
    timelines,
    until,
    write,
)

__all__ = ["prepared", "root", "timelines"]

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


@pytest.mark.parametrize("live", [True, False])
async def test_a_branch_knows_the_position_where_it_left_its_source(timelines, live):
    await write(timelines, "CREATE TABLE t AS SELECT 1 AS n")
    before = await scalar(timelines, "SELECT pg_current_wal_lsn()::text")
    if not live:
        await timelines.suspend(ENDPOINT, force=True)
    made = await timelines.branch(DEV, TWIN)
    assert (await timelines.branch(DEV, TWIN)).lsn == made.lsn
    await write(timelines, "INSERT INTO t VALUES (2)")
    between = f"'{made.lsn}'::pg_lsn BETWEEN '{before}'::pg_lsn AND pg_current_wal_lsn()"
    assert await scalar(timelines, f"SELECT {between}")
    assert (await timelines.create(TimelineId("crm-x7k2.new"))).lsn == ""


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


async def test_whoever_comes_while_a_suspend_is_being_decided_keeps_the_compute_awake(timelines):
    await timelines.wake(ENDPOINT)
    socket = Path((await timelines.endpoint(ENDPOINT)).directory, ".s.PGSQL.5432")
    of_postgres = socket.stat().st_ino
    suspending = asyncio.create_task(timelines.suspend(ENDPOINT))
    async with asyncio.timeout(20):
        while socket.stat().st_ino == of_postgres:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await timelines.wake(ENDPOINT)  # while it asks Postgres who is there
        await suspending
    assert (await timelines.endpoint(ENDPOINT)).compute is ComputeState.AWAKE
    assert await scalar(timelines, "SELECT 1") == 1


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
