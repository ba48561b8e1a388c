"""What only the Postgres store and its embedded server promise: versions, crashes, lost links."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from fleet.domain.build import StepKind
from fleet.domain.chat import Usage
from fleet.domain.event import EventKind, NewEvent
from fleet.domain.ids import ProjectId
from fleet.drivers.bubblewrap.jail import DATABASE_UID, jailed_uid
from fleet.drivers.postgres.server import EmbeddedServer
from fleet.drivers.postgres.store.database import Database
from fleet.drivers.postgres.store.schema import SchemaMigration, migrate, schema_migrations
from fleet.drivers.postgres.store.store import PostgresStore
from fleet.errors import Conflict, InfrastructureError, SetupError
from fleet.ports import NewStep, Spending
from tests.contract.store_beginnings import started

LONG = timedelta(seconds=10)


async def make_project(store: PostgresStore) -> ProjectId:
    owner = await store.ensure_owner("ada")
    return (await store.create_project(owner.id, ProjectId("crm-aaaaa"), "A CRM")).id


# Schema


async def test_a_database_of_a_newer_version_is_refused_untouched(store_conninfo: str) -> None:
    with psycopg.connect(store_conninfo) as connection:
        connection.execute("insert into schema_migrations values (9999, '9999_new.sql', 'x')")
    with pytest.raises(SetupError, match=r"newer.*Upgrade appfleet"):
        await PostgresStore.connect(store_conninfo)


async def test_an_edited_migration_is_refused(store_conninfo: str) -> None:
    with psycopg.connect(store_conninfo) as connection:
        connection.execute("update schema_migrations set sha256 = 'x' where number = 1")
    with pytest.raises(SetupError, match="another build"):
        await PostgresStore.connect(store_conninfo)


async def test_processes_that_start_together_migrate_once(store_conninfo: str) -> None:
    new = SchemaMigration(9000, "9000_later.sql", b"create table later (id int); select 1")
    databases = [Database(store_conninfo, 2) for _ in range(3)]
    for database in databases:
        await database.open()
    known = [*schema_migrations(), new]
    done = await asyncio.gather(*(migrate(database, known) for database in databases))
    assert sorted(done) == [[], [], ["9000_later.sql"]]
    for database in databases:
        await database.close()


async def test_a_failing_migration_leaves_nothing_behind(store_conninfo: str) -> None:
    bad = SchemaMigration(9000, "9000_bad.sql", b"create table half (id int); select 1/0")
    database = Database(store_conninfo, 2)
    await database.open()
    with pytest.raises(InfrastructureError):
        await migrate(database, [*schema_migrations(), bad])
    await database.close()
    with psycopg.connect(store_conninfo) as connection:
        row = connection.execute("select to_regclass('half'), max(number) from schema_migrations")
        assert row.fetchone() == (None, schema_migrations()[-1].number)


async def test_an_older_record_brings_what_its_owners_spent(
    store: PostgresStore, store_conninfo: str
) -> None:
    _, build, lease = await started(store)
    usage = Usage(prompt_tokens=10, completion_tokens=5, completions=1)
    step = NewStep(task=None, kind=StepKind.ARCHITECT, title="x", usage=usage, elapsed_s=2.0)
    for _ in range(2):
        await store.append_step(lease, build.id, step)
    with psycopg.connect(store_conninfo) as connection:
        connection.execute("drop table spending; delete from schema_migrations where number >= 3")
    database = Database(store_conninfo, 2)
    await database.open()
    assert "0003_owner_spending.sql" in await migrate(database, schema_migrations())
    await database.close()
    ada = await store.ensure_owner("ada")
    spent = await store.owner_spending(ada.id, datetime.now(UTC) - timedelta(hours=1))
    assert spent == Spending(steps=2, usage=usage.plus(usage), wall_s=4.0)


# Connections


async def test_an_unreachable_server_is_an_infrastructure_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fleet.drivers.postgres.store.database._CHECKOUT_DEADLINE_S", 0.5)
    with pytest.raises(InfrastructureError):
        await PostgresStore.connect("host=/tmp/no-such-folder dbname=x user=x")


async def test_lost_connections_are_replaced_and_waiters_still_wake(
    store: PostgresStore, store_conninfo: str
) -> None:
    project = await make_project(store)
    waiting = asyncio.create_task(store.wait_for_events(project, 1, LONG))
    await asyncio.sleep(0.3)
    with psycopg.connect(store_conninfo) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    await store.append_event(project, None, NewEvent(kind=EventKind.NOTICE))
    assert await waiting


async def test_twenty_waits_share_one_listening_connection(
    store: PostgresStore, store_conninfo: str
) -> None:
    project = await make_project(store)
    waits = [asyncio.create_task(store.wait_for_events(project, 1, LONG)) for _ in range(20)]
    await asyncio.sleep(0.5)
    with psycopg.connect(store_conninfo) as connection:
        listening = connection.execute(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and query like 'listen%'"
        ).fetchone()
    assert listening == (1,)
    await store.append_event(project, None, NewEvent(kind=EventKind.NOTICE))
    assert await asyncio.gather(*waits) == [True] * 20


async def test_two_processes_stores_wake_one_another(
    store: PostgresStore, store_conninfo: str
) -> None:
    other = await PostgresStore.connect(store_conninfo)
    project = await make_project(store)
    waiting = asyncio.create_task(other.wait_for_work(LONG))
    await asyncio.sleep(0.2)
    await store.post_message(project, "x", None)
    assert await waiting
    await other.close()


async def test_a_closed_store_says_so(store_conninfo: str) -> None:
    store = await PostgresStore.connect(store_conninfo, migrate=False)
    await store.close()
    with pytest.raises(InfrastructureError):
        await store.ping()
    with pytest.raises(InfrastructureError):
        await store.wait_for_work(LONG)


async def test_an_errors_message_names_what_is_taken(store: PostgresStore) -> None:
    await make_project(store)
    with pytest.raises(Conflict, match="Choose another"):
        await make_project(store)


# The embedded server


@pytest.fixture
def folders() -> Iterator[tuple[Path, Path]]:
    """Data and run folder, both in one that nobody else may enter."""
    root = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    yield root / "data", root / "run"
    shutil.rmtree(root)


@pytest.fixture
def server(folders: tuple[Path, Path]) -> Iterator[EmbeddedServer]:
    embedded = EmbeddedServer(*folders)
    yield embedded
    embedded.stop()


def postmaster(server: EmbeddedServer) -> int:
    pid = server.postmaster()
    assert pid is not None
    return pid


def test_the_server_starts_stops_and_starts_again_never_as_root(server: EmbeddedServer) -> None:
    assert not server.running()
    conninfo = server.start()
    assert server.running()
    assert Path(f"/proc/{postmaster(server)}").stat().st_uid == jailed_uid(DATABASE_UID) != 0
    with psycopg.connect(conninfo) as connection:
        connection.execute("create table kept (id int)")
        addresses = connection.execute("show listen_addresses").fetchone()
    assert addresses == ("",)
    server.stop()
    server.stop()
    assert not server.running()
    with psycopg.connect(server.start()) as connection:
        connection.execute("select * from kept")


def test_a_killed_server_recovers_despite_what_it_left(server: EmbeddedServer) -> None:
    conninfo = server.start()
    with psycopg.connect(conninfo) as connection:
        connection.execute("create table kept (id int)")
    gone = os.pidfd_open(postmaster(server))
    signal.pidfd_send_signal(gone, signal.SIGKILL)
    assert select.select([gone], [], [], 10)[0]
    os.close(gone)
    assert not server.running()
    with psycopg.connect(server.start()) as connection:
        connection.execute("select * from kept")


def test_a_successor_adopts_the_server_and_can_stop_it(
    server: EmbeddedServer, folders: tuple[Path, Path]
) -> None:
    with ThreadPoolExecutor(1) as thread:
        conninfo = thread.submit(server.start).result(60)  # it outlives the thread that started it
    successor = EmbeddedServer(*folders)
    pid = postmaster(server)
    assert successor.start() == conninfo
    assert postmaster(successor) == pid
    successor.stop()
    assert not server.running()


def test_a_half_made_data_directory_is_made_anew(
    server: EmbeddedServer, folders: tuple[Path, Path]
) -> None:
    half = folders[0] / "control.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert server.running()


def test_a_second_server_on_the_same_data_is_refused(
    server: EmbeddedServer, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.drivers.postgres.server._LOCK_DEADLINE_S", 0.2)
    server.start()
    with pytest.raises(SetupError, match="still runs"):
        EmbeddedServer(folders[0], folders[1].with_name("other")).start()
    assert server.running()


def test_a_data_directory_of_another_version_or_kind_is_refused(
    server: EmbeddedServer, folders: tuple[Path, Path]
) -> None:
    control = folders[0] / "control"
    control.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(control, DATABASE_UID, DATABASE_UID)
    with pytest.raises(SetupError, match="no Postgres data directory"):
        server.start()
    (control / "PG_VERSION").write_text("19\n")
    with pytest.raises(SetupError, match="written by Postgres 19"):
        server.start()


def test_a_server_that_cannot_start_says_why_and_leaves_no_process(
    server: EmbeddedServer, folders: tuple[Path, Path]
) -> None:
    server.start()
    server.stop()
    with (folders[0] / "control" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(InfrastructureError, match="no_such_setting"):
        server.start()
    assert not server.running()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away; run it as root")
@pytest.mark.parametrize("folder", ["", "control"])
def test_a_data_directory_of_another_owner_is_refused(
    server: EmbeddedServer, folders: tuple[Path, Path], folder: str
) -> None:
    path = folders[0] / folder
    path.mkdir(parents=True)
    os.chown(path, 12345, 12345)
    with pytest.raises(SetupError, match="belongs to uid 12345"):
        server.start()


def test_a_nearly_full_disk_is_refused_before_anything_is_written(
    server: EmbeddedServer, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(SetupError, match="Free at least"):
        server.start()
    assert not (folders[0] / "control").exists()


def test_a_run_directory_too_long_for_a_socket_is_refused(folders: tuple[Path, Path]) -> None:
    with pytest.raises(SetupError, match="shorter run directory"):
        EmbeddedServer(folders[0], folders[1] / ("x" * 90)).start()


async def test_a_store_outlives_a_restart_of_its_server(server: EmbeddedServer) -> None:
    store = await PostgresStore.connect(await asyncio.to_thread(server.start))
    project = await make_project(store)
    waiting = asyncio.create_task(store.wait_for_events(project, 1, LONG))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    await store.append_event(project, None, NewEvent(kind=EventKind.NOTICE))
    assert await waiting
    await store.close()
