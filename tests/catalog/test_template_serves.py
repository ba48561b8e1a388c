"""The template's server in the jail: read-only, no network, one unix socket."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.drivers.bubblewrap.jail import APP_UID, jailed_uid
from tests.catalog.built_app import App


@pytest.fixture
def own_packages(make_app: Callable[[str], App], tmp_path: Path) -> Iterator[App]:
    """An app whose packages may be written to: hard links, so that copying is quick."""
    app = make_app("react-app")
    packages = tmp_path / "own"
    shutil.copytree(app.packages, packages, symlinks=True, copy_function=os.link)
    if os.geteuid() == 0:
        os.chown(packages, jailed_uid(APP_UID), jailed_uid(APP_UID))
    yield App(app.tree, packages, app.sockets, app.database, app.postgres)


def test_a_first_page_load_optimises_nothing_after_a_prebundle(own_packages: App) -> None:
    bundled = own_packages.run("node", "server/prebundle.ts", packages_writable=True)
    assert bundled.returncode == 0, bundled.stderr

    with own_packages.serving("node", "server/main.ts") as served:
        assert served.get("/healthz") == (200, "application/json", '{"ok":true}')
        status, kind, page = served.get("/customers/new")
        assert (status, kind) == (200, "text/html")
        assert "/@vite/client" in page
        seen = set()
        waiting = ["/src/main.tsx"]
        while waiting:
            path = waiting.pop()
            status, _, module = served.get(path, accept="*/*")
            assert status == 200, path
            for found in re.findall(r'from "(/[^"]+)"|import "(/[^"]+)"', module):
                target = found[0] or found[1]
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        assert any("/node_modules/.vite/deps/react" in path for path in seen)
        assert served.get("/missing.png", accept="image/*")[0] == 404
    assert "ptimiz" not in served.output


def test_an_answer_of_the_server_never_carries_a_stack_or_sql(
    make_app: Callable[[str], App],
) -> None:
    app = make_app("trpc-api")
    # No migration was applied, so the table is missing: the server's fault, not the caller's.
    with app.serving("node", "server/main.ts") as served:
        status, _, body = served.get("/trpc/customers.list?input=%7B%7D", accept="*/*")
        assert status == 500
        assert "Something went wrong on the server." in body
        assert "select" not in body
        assert "stack" not in body
        status, _, body = served.get("/trpc/customers.get?input=%7B%7D", accept="*/*")
        assert status == 400
        assert '"fields":{"id":' in body
        assert served.get("/trpc/nothing", accept="*/*")[0] == 404


def test_the_migrations_apply_once(make_app: Callable[[str], App]) -> None:
    app = make_app("trpc-api")
    first = app.run("node", "server/migrate.ts")
    assert first.stdout == "Applied 0001_customers.sql, 0002_invoices.sql.\n", first.stderr
    assert app.run("node", "server/migrate.ts").stdout == "Nothing to apply.\n"
    with app.serving("node", "server/main.ts") as served:
        status, _, body = served.get("/trpc/customers.list?input=%7B%7D", accept="*/*")
    assert (status, body) == (200, '{"result":{"data":{"rows":[],"total":0}}}')


def test_a_production_build_is_served_without_vite(make_app: Callable[[str], App]) -> None:
    app = make_app("react-app")
    built = app.run(
        "node_modules/.bin/vite", "build", "--configLoader", "native", "--outDir", "/run/app/d"
    )
    assert built.returncode == 0, built.stdout + built.stderr
    shutil.copytree(app.sockets / "d", app.tree / "dist")
    with app.serving("node", "server/main.ts", "--production") as served:
        status, kind, page = served.get("/customers")
        assert (status, kind) == (200, "text/html")
        script = re.search(r'src="(/assets/[^"]+)"', page)
        assert script is not None
        assert served.get(script[1])[1] == "text/javascript"
        assert served.get("/assets/%2e%2e/%2e%2e/package.json")[0] == 404
        assert served.get("/healthz")[0] == 200
