"""What keeps the compiler from looking."""

from __future__ import annotations

import json

import pytest

from catalog.catalog import scaffold_files
from fleet.verification.strictness import examine_strictness
from fleet.verification.tsconfig import TSCONFIG, read_tsconfig

SCAFFOLD = scaffold_files()


def examined(**changes: str) -> list[tuple[str, str, int]]:
    files = {**SCAFFOLD, **changes}
    return [(f.where, f.code, f.line) for f in examine_strictness(files, SCAFFOLD)]


def with_tsconfig(**changes: object) -> dict[str, str]:
    tsconfig = read_tsconfig(SCAFFOLD)
    options = changes.pop("options", {})
    tsconfig["compilerOptions"] |= options
    return {TSCONFIG: json.dumps({**tsconfig, **changes}, indent=2)}


def test_the_template_is_as_strict_as_itself_and_may_gain_paths_and_folders():
    assert examined() == []
    more = with_tsconfig(
        options={"paths": {"@/*": ["./src/*"]}, "noUnusedLocals": True},
        include=["server", "src", "tests", "shared", "vite.config.ts"],
        exclude=["node_modules", "./dist"],
    )
    assert examined(**more) == []


@pytest.mark.parametrize(
    "options",
    [
        {"strict": False},
        {"noUncheckedIndexedAccess": None},
        {"strictNullChecks": False},
        {"noImplicitAny": False},
        {"noCheck": True},
    ],
)
def test_a_relaxed_option_is_named_with_its_line(options):
    [(where, code, line)] = examined(**with_tsconfig(options=options))
    assert (where, code) == (TSCONFIG, "compiler-relaxed")
    text = with_tsconfig(options=options)[TSCONFIG]
    assert f'"{next(iter(options))}"' in text.splitlines()[line - 1]


@pytest.mark.parametrize("changes", [{"include": ["server", "src"]}, {"exclude": ["src/pages"]}])
def test_code_cannot_be_hidden_from_the_compiler(changes):
    [(where, code, line)] = examined(**with_tsconfig(**changes))
    assert (where, code) == (TSCONFIG, "compiler-relaxed")
    assert line > 0


def test_a_broken_tsconfig_is_left_to_the_compiler():
    assert examined(**{TSCONFIG: "{ oops"}) == []


@pytest.mark.parametrize(
    "comment",
    [
        "// @ts-nocheck",
        "//@ts-ignore because",
        "/* @ts-ignore */",
        "/**\n * @ts-expect-error\n */",
        "/// @ts-ignore",
    ],
)
def test_a_comment_that_silences_the_compiler_is_named(comment):
    text = f"export const a = 1;\n{comment}\nexport const b = 2;\n"
    assert examined(**{"src/x.ts": text}) == [("src/x.ts", "compiler-silenced", 2)]


def test_within_jsx_too():
    text = "export const X = () => (\n  <p>\n    {/* @ts-ignore */}\n    {nothing}\n  </p>\n);\n"
    assert examined(**{"src/x.tsx": text}) == [("src/x.tsx", "compiler-silenced", 3)]


@pytest.mark.parametrize(
    "text",
    [
        'export const a = "// @ts-nocheck";\n',
        "// Never use @ts-ignore here.\nexport const a = 1;\n",
        "export const a = `\n// @ts-ignore\n`;\n",
    ],
)
def test_text_about_it_silences_nothing(text):
    assert examined(**{"src/x.ts": text}) == []


def test_a_test_may_expect_a_type_error_but_not_ignore_one():
    path = "tests/x.test.ts"
    assert examined(**{path: "// @ts-expect-error: refused\ncall(1);\n"}) == []
    assert examined(**{path: "// @ts-ignore\ncall(1);\n"}) == [(path, "compiler-silenced", 1)]
