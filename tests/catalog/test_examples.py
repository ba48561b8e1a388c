"""Every example, for real: laid over the template it compiles and passes its tests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from catalog.catalog import load_catalog
from tests.catalog.built_app import App

KINDS = ["", *(entry.kind for entry in load_catalog())]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind or "template")
def test_an_example_compiles_and_passes_its_tests_in_a_read_only_jail(
    kind: str, make_app: Callable[[str], App]
) -> None:
    app = make_app(kind)

    compiled = app.run("node_modules/.bin/tsc", "--noEmit")
    assert (compiled.stdout, compiled.returncode) == ("", 0)

    tested = app.run("node_modules/.bin/vitest", "run", "--reporter=json")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    report = json.loads(tested.stdout)
    assert report["success"]
    assert report["numTotalTests"] == report["numPassedTests"] > 0


def test_every_procedure_of_the_api_example_has_a_test_by_its_name() -> None:
    example = next(e for e in load_catalog() if e.kind == "trpc-api").example_files
    named = "\n".join(text for path, text in example.items() if path.startswith("tests/"))
    for entity in ("customers", "invoices"):
        source = example[f"server/procedures/{entity}.ts"]
        procedures = re.findall(r"^  (\w+): publicProcedure", source, re.MULTILINE)
        assert procedures == ["list", "get", "create", "update", "remove"]
        for procedure in procedures:
            assert f'test("{entity}.{procedure} ' in named


def test_a_failing_test_is_told_in_the_report(make_app: Callable[[str], App]) -> None:
    app = make_app("")
    (app.tree / "tests" / "wrong.test.ts").write_text(
        'import { expect, test } from "vitest";\n'
        'test("placeholder is three", () => expect(1 + 1).toBe(3));\n'
    )
    tested = app.run("node_modules/.bin/vitest", "run", "--reporter=json")
    assert tested.returncode == 1
    failed = [
        assertion["fullName"]
        for file in json.loads(tested.stdout)["testResults"]
        for assertion in file["assertionResults"]
        if assertion["status"] == "failed"
    ]
    assert failed == ["placeholder is three"]
