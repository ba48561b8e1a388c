"""The import shape, judged from files alone."""

from __future__ import annotations

from fleet.verification.imports import examine_imports
from fleet.verification.modules import read_module

PACKAGE = '{"dependencies":{"react":"1","@trpc/client":"1"},"devDependencies":{"@types/pg":"1"}}'


def codes(files: dict[str, str]) -> list[tuple[str, str]]:
    found = examine_imports({"package.json": PACKAGE, **files})
    return [(f.where, f.code) for f in found]


def test_every_kind_of_export_is_seen() -> None:
    module = read_module(
        "a.tsx",
        """
export default function Foo() { return <div/>; }
export const { a1, b: b1, ...r } = o, k = 1;
export const [m1, m2 = 2] = z;
export async function fn() {}
export abstract class K {}
export interface I {}
export type T = string;
export enum E { A }
export { loc as other, type U };
export * as g from "./g";
export * from "./f";
export declare const zz: string;
""",
    )
    assert module.exports == frozenset(
        [
            "default",
            "a1",
            "b1",
            "r",
            "k",
            "m1",
            "m2",
            "fn",
            "K",
            "I",
            "T",
            "E",
            "other",
            "U",
            "g",
            "zz",
        ]
    )
    assert module.stars == ("./f",)


def test_a_sound_app_has_no_findings() -> None:
    assert (
        codes(
            {
                "src/main.tsx": 'import "./s.css"; import { App } from "./App.tsx";\nApp;',
                "src/s.css": "",
                "src/App.tsx": 'import React, { type FC } from "react";\n'
                'import type { AppRouter } from "../server/router.ts";\n'
                'import { x } from "@/lib/all";\nexport function App() {}\n',
                "src/lib/all.ts": 'export * from "./x.ts"',
                "src/lib/x.ts": "export const x = 1 as number;",
                "server/router.ts": 'import type { Pool } from "pg"; import fs from "node:fs";\n'
                "export type AppRouter = typeof appRouter; export const appRouter = 1;",
                "tsconfig.json": '{ // comment\n"compilerOptions":{"paths":{"@/*":["./src/*"],},}}',
            }
        )
        == []
    )


def test_a_missing_file_export_and_package_are_named_with_their_line() -> None:
    found = examine_imports(
        {
            "package.json": PACKAGE,
            "src/a.ts": 'import { b } from "./b.ts";\nimport { no } from "./c.ts";\n'
            'import _ from "lodash/fp";\nimport d from "./c.ts";',
            "src/c.ts": "export const yes = 1;",
        }
    )
    assert [(f.where, f.line, f.code) for f in found] == [
        ("src/a.ts", 1, "unresolved-import"),
        ("src/a.ts", 2, "missing-export"),
        ("src/a.ts", 3, "unknown-package"),
        ("src/a.ts", 4, "missing-export"),
    ]
    assert "lodash" in found[2].message
    assert found[1].excerpt == 'import { no } from "./c.ts";'


def test_a_cycle_of_values_is_red_and_one_of_types_is_not() -> None:
    a, b = "src/a.ts", "src/b.ts"
    cycle = {
        a: 'import { b } from "./b.ts"; export const a = 1;',
        b: 'import { c } from "./c.ts"; export const b = 1;',
        "src/c.ts": 'import { a } from "./a.ts"; export const c = 1;',
    }
    found = examine_imports({"package.json": PACKAGE, **cycle})
    assert [f.code for f in found] == ["import-cycle"]
    assert "src/a.ts -> src/b.ts -> src/c.ts -> src/a.ts" in found[0].message
    types = {
        a: 'import type { B } from "./b.ts"; export type A = 1;',
        b: 'import { type A } from "./a.ts"; export type B = 1;',
    }
    assert codes(types) == []


def test_the_browser_never_reaches_the_server_even_through_a_third_file() -> None:
    files = {
        "src/a.ts": 'import { s } from "../shared/s.ts"; s;',
        "shared/s.ts": 'import { db } from "../server/db.ts"; export const s = db;',
        "server/db.ts": "export const db = 1;",
        "src/b.test.ts": 'import { db } from "../server/db.ts"; db;',
        "src/c.ts": 'import { readFile } from "node:fs/promises"; readFile;',
    }
    assert codes(files) == [
        ("src/c.ts", "browser-imports-node"),
        ("shared/s.ts", "browser-imports-server"),
    ]


def test_code_that_does_not_parse_raises_nothing() -> None:
    assert codes({"src/a.ts": "import { from from ''' export {{{"}) is not None
