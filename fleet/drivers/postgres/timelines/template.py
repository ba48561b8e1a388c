"""The template: one initdb per data directory, of which every new timeline is a clone."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import secrets
import shutil
from pathlib import Path

import psycopg
from psycopg import sql

from fleet.drivers.postgres.timelines.compute import INSTALLATION, Compute, database_jail
from fleet.drivers.postgres.timelines.layout import (
    Layout,
    owner_of_data,
    private_folder,
    write_json,
)
from fleet.drivers.postgres.timelines.session import Connection, admin_session
from fleet.drivers.postgres.timelines.statements import split_statements
from fleet.errors import InfrastructureError

# Bump it when anything about the making changes: a template of another version is made anew.
_VERSION = 1
_SQL = Path(__file__).parent / "sql"
_INITDB_DEADLINE_S = 120.0
_MAKING = "/making"  # an id that no timeline can have

_INITDB = (
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--wal-segsize=1",  # in MB: WAL is most of what a small branch copies
    "--no-instructions",
)
# The app's sandbox sees the same socket as we do, so what separates the roles is the password,
# which lies where no sandbox sees it. Anyone else, and replication, is rejected by omission.
_HBA = "local app app trust\nlocal app postgres scram-sha-256\n"


def superuser_password(layout: Layout) -> str:
    return layout.password_file.read_text()


async def prepare_template(layout: Layout) -> None:
    note = layout.template / "made.json"
    if note.exists() and json.loads(note.read_text())["version"] == _VERSION:
        return
    making = layout.unfinished / "template"
    for old in (making, layout.template, layout.spares):
        shutil.rmtree(old, ignore_errors=True)
    private_folder(layout.spares)
    private_folder(making)
    pgdata = private_folder(making / "pgdata", owner_of_data())
    sockets = private_folder(layout.compute_folder(_MAKING), owner_of_data())
    password = _ensure_password(layout)
    await _initdb(pgdata, sockets, making)
    compute = Compute(pgdata, sockets, layout.locks / "template")
    await compute.start()
    try:
        async with admin_session(sockets, None, "template1") as connection:
            await _run_file(connection, "roles.sql")
            await connection.execute(
                sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password))
            )
        async with admin_session(sockets, None) as connection:
            await _run_file(connection, "restrict.sql")
    except psycopg.Error as error:
        raise InfrastructureError(f"The template could not be made: {error}") from error
    finally:
        await compute.stop()
    (pgdata / "pg_hba.conf").write_text(_HBA)
    shutil.rmtree(sockets, ignore_errors=True)
    write_json(making / "made.json", {"version": _VERSION})
    making.rename(layout.template)


def _ensure_password(layout: Layout) -> str:
    """Made once: timelines of an older template have it too."""
    path = layout.password_file
    if not path.exists():
        temporary = path.with_name(".superuser.new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    return superuser_password(layout)


async def _initdb(pgdata: Path, sockets: Path, making: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *database_jail(pgdata, sockets, _passwd(making)).argv(
            [str(INSTALLATION / "bin" / "initdb"), "-D", "/data", *_INITDB]
        ),
        env={},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_INITDB_DEADLINE_S):
            output, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise InfrastructureError(f"initdb failed: {output.decode(errors='replace')[-2_000:]}")


def _passwd(making: Path) -> Path | None:
    """initdb insists on a name for its uid; the jail's own file knows only the ones under root."""
    uid = os.geteuid()
    if uid == 0:
        return None
    path = making / "passwd"
    path.write_text(f"{pwd.getpwuid(uid).pw_name}:x:{uid}:{os.getegid()}::/tmp:/bin/false\n")
    return path


async def _run_file(connection: Connection, name: str) -> None:
    for statement in split_statements((_SQL / name).read_text()):
        await connection.execute(statement.sql.encode())
