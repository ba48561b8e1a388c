"""Runtime: packages come and go outside the sandbox; what cannot be is said in usable words.

Needs npm's registry, as `make setup` does.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet.domain.ids import AppSlug, EndpointId, ProjectId, TimelineId, WorkloadId
from fleet.domain.repository import NewCommit
from fleet.domain.timeline import ComputeState, Endpoint
from fleet.domain.workload import Command, PackageChange, PackageManifest, Purpose, Workload
from fleet.drivers.bubblewrap.runtime import BubblewrapRuntime, Limits
from fleet.drivers.git.repositories import GitRepositories
from fleet.errors import InvalidInput

SCAFFOLD = Path(__file__).parents[2] / "catalog" / "scaffold"
PROJECT = ProjectId("demo-abcde")
EMPTY = PackageManifest(package='{"name": "a", "version": "1.0.0", "private": true}', lock="")


class OneEndpoint:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def endpoint(self, endpoint: EndpointId) -> Endpoint:
        return Endpoint(
            id=endpoint,
            timeline=TimelineId("t"),
            directory=str(self._directory),
            compute=ComputeState.ASLEEP,
        )


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    (made / "run" / "e").mkdir(parents=True)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def git(folder: Path) -> GitRepositories:
    return GitRepositories(folder / "repositories")


@pytest.fixture
async def runtime(folder: Path, git: GitRepositories) -> AsyncIterator[BubblewrapRuntime]:
    made = BubblewrapRuntime(
        folder,
        folder / "run",
        git,
        OneEndpoint(folder / "run" / "e"),  # type: ignore[arg-type]
        Limits(),
    )
    yield made
    await made.close()


def scaffold() -> PackageManifest:
    package, lock = (SCAFFOLD / name for name in ("package.json", "package-lock.json"))
    return PackageManifest(package=package.read_text(), lock=lock.read_text())


def wanted(manifest: PackageManifest, group: str = "dependencies") -> dict[str, str]:
    return dict(json.loads(manifest.package).get(group, {}))


async def test_a_package_is_added_pinned_runs_in_the_sandbox_and_is_removed_again(
    runtime: BubblewrapRuntime, git: GitRepositories
) -> None:
    added = await runtime.change_packages(EMPTY, PackageChange(add=("is-odd@3",)))
    assert wanted(added) == {"is-odd": "3.0.1"}
    assert "http" not in "".join(
        str(entry.get("resolved")) for entry in json.loads(added.lock)["packages"].values()
    )
    await git.create(PROJECT)
    files: dict[str, str | None] = {"package.json": added.package, "package-lock.json": added.lock}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    commit = await git.commit(PROJECT, NewCommit(parent=None, changes=files, message="m", at=at))
    workload = Workload(
        id=WorkloadId("demo.web.dev"),
        project=PROJECT,
        app=AppSlug("web"),
        app_path=".",
        purpose=Purpose.DEV,
        commit=commit,
        endpoint=EndpointId("demo.dev"),
    )
    await runtime.prepare(workload)
    script = "console.log(require('is-odd')(3))"
    ran = await runtime.execute(workload.id, Command(argv=("node", "-e", script)))
    assert ran.stdout.strip() == "true", ran.stderr
    removed = await runtime.change_packages(added, PackageChange(remove=("is-odd",)))
    assert wanted(removed) == {} and "is-odd" not in removed.lock


async def test_the_template_takes_a_package_and_gives_it_back(runtime: BubblewrapRuntime) -> None:
    before = scaffold()
    added = await runtime.change_packages(before, PackageChange(add=("is-odd",), dev=True))
    assert wanted(added).keys() == wanted(before).keys()
    version = wanted(added, "devDependencies")["is-odd"]
    assert version[0].isdigit()
    removed = await runtime.change_packages(added, PackageChange(remove=("is-odd",)))
    assert json.loads(removed.lock) == json.loads(before.lock)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (PackageChange(), "One change names"),
        (PackageChange(add=("zodd-qq-not-published",)), "no package zodd-qq-not-published"),
        (PackageChange(add=("zod@99.0.0",)), "zod has no version 99.0.0. Leave the version out"),
        (PackageChange(add=("react@17",)), "does not fit"),
        (PackageChange(add=("bcrypt",)), "Use bcryptjs instead"),
        (PackageChange(add=("better-sqlite3",)), "not allowed: the app's data lives in Postgres"),
        (PackageChange(add=("vite@5",)), "vite is the platform's own"),
        (PackageChange(remove=("zood",)), "The app has zod"),
        (PackageChange(remove=("typescript",)), "the platform's own"),
    ],
)
async def test_what_cannot_be_is_refused_with_what_to_do(
    runtime: BubblewrapRuntime, change: PackageChange, told: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await runtime.change_packages(scaffold(), change)
    assert told in str(refusal.value) and refusal.value.action
    assert "http" not in str(refusal.value) and "/stores/" not in str(refusal.value)


async def test_what_a_killed_change_left_is_removed_by_a_later_one(
    runtime: BubblewrapRuntime, folder: Path
) -> None:
    old, young = (folder / "stores" / f".changing-{name}" for name in ("old", "young"))
    for left in (old, young):
        left.mkdir(parents=True)
    os.utime(old, (0, 0))
    await runtime.change_packages(EMPTY, PackageChange(add=("is-odd@3.0.1",)))
    assert not old.exists() and young.exists()


@pytest.mark.parametrize(
    "spec",
    [
        "git+ssh://host/x",
        "owner/repository",
        "https://host/x.tgz",
        "file:../x",
        "../x",
        "/etc",
        "x@npm:zod",
        "x@file:/root",
        "--global",
        "-g",
        "",
        "zod zod",
        "a" * 300,
    ],
)
async def test_only_names_of_the_registry_reach_npm(runtime: BubblewrapRuntime, spec: str) -> None:
    with pytest.raises(InvalidInput, match="not a package of the registry"):
        await runtime.change_packages(EMPTY, PackageChange(add=(spec,)))


@pytest.mark.parametrize(
    "package",
    [
        {"dependencies": {"x": "git+ssh://host/x"}},
        {"peerDependencies": {"x": "file:/root"}},
        {"overrides": {"zod": {"x": "https://host/x.tgz"}}},
    ],
)
async def test_a_manifest_that_leads_elsewhere_is_refused_before_npm_reads_it(
    runtime: BubblewrapRuntime, package: dict[str, object]
) -> None:
    manifest = PackageManifest(package=json.dumps(package), lock="")
    with pytest.raises(InvalidInput, match="does not come from the registry"):
        await runtime.change_packages(manifest, PackageChange(add=("zod",)))
