"""Import shape: what the module graph must be, judged from the files alone. Pure.

Every import resolves to a file and an export that exist, package names stand in package.json, no
cycle of values, and nothing of the server's reaches the browser except types.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from fleet.domain.verdict import Finding
from fleet.verification.evidence import finding
from fleet.verification.modules import (
    CODE_SUFFIXES,
    STAR,
    TEST_PATH,
    Import,
    Module,
    read_module,
)
from fleet.verification.tsconfig import compiler_options, read_tsconfig

_TRIED_SUFFIXES = ("", ".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".json")
_INDEXES = ("/index.ts", "/index.tsx", "/index.js")
_MAX_CYCLES = 5
# Node's own modules, as far as they are written without the `node:` prefix.
_NODE_BUILTINS = frozenset(
    [
        "assert",
        "async_hooks",
        "buffer",
        "child_process",
        "cluster",
        "console",
        "constants",
        "crypto",
        "dgram",
        "dns",
        "domain",
        "events",
        "fs",
        "http",
        "http2",
        "https",
        "inspector",
        "module",
        "net",
        "os",
        "path",
        "perf_hooks",
        "process",
        "punycode",
        "querystring",
        "readline",
        "repl",
        "stream",
        "string_decoder",
        "timers",
        "tls",
        "tty",
        "url",
        "util",
        "v8",
        "vm",
        "worker_threads",
        "zlib",
    ]
)
_NODE_PACKAGES = frozenset({"pg"})  # installed, and made for Node alone
_DEPENDENCY_KEYS = (
    "dependencies",
    "devDependencies",
    "peerDependencies",
    "optionalDependencies",
)


@dataclass
class _Graph:
    """`edges` holds value imports between files of the app."""

    files: Mapping[str, str]
    packages: frozenset[str]
    aliases: tuple[tuple[str, str], ...]
    modules: dict[str, Module] = field(default_factory=dict)
    edges: dict[str, dict[str, Import]] = field(default_factory=dict)


def examine_imports(files: Mapping[str, str]) -> list[Finding]:
    """`files` maps paths relative to the app's folder to texts."""
    graph = _Graph(files, _packages(files), _aliases(files))
    for path, text in files.items():
        if path.endswith(CODE_SUFFIXES):
            graph.modules[path] = read_module(path, text)
    findings = [f for path in sorted(graph.modules) for f in _resolve_all(graph, path)]
    findings += _cycles(graph)
    findings += _server_in_browser(graph)
    return findings


def reachable(files: Mapping[str, str], starts: Iterable[str]) -> set[str]:
    """The app's files that `starts` run: themselves, and what they import other than as types."""
    graph = _Graph(files, _packages(files), _aliases(files))
    waiting, seen = [path for path in starts if path in files], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.endswith(CODE_SUFFIXES):
            continue
        seen.add(path)
        for wanted in read_module(path, files[path]).imports:
            local = _local_path(graph, path, wanted.specifier.split("?", 1)[0])
            target = _find(graph, local) if local is not None and not wanted.types_only else None
            waiting += [target] if target is not None else []
    return seen


def _packages(files: Mapping[str, str]) -> frozenset[str]:
    try:
        manifest = json.loads(files.get("package.json", "{}"))
    except ValueError:
        return frozenset()
    if not isinstance(manifest, dict):
        return frozenset()
    names: set[str] = {str(manifest.get("name", ""))}
    for key in _DEPENDENCY_KEYS:
        group = manifest.get(key)
        names |= set(group) if isinstance(group, dict) else set()
    return frozenset(names)


def _aliases(files: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(prefix, folder) for each `"@/*": ["./src/*"]` of tsconfig.json."""
    options = compiler_options(read_tsconfig(files))
    base = options.get("baseUrl", ".")
    return tuple(
        (pattern.removesuffix("*"), posixpath.join(base, targets[0].removesuffix("*")))
        for pattern, targets in options.get("paths", {}).items()
        if pattern.endswith("*") and targets
    )


def _resolve_all(graph: _Graph, path: str) -> Iterator[Finding]:
    edges = graph.edges.setdefault(path, {})
    for wanted in graph.modules[path].imports:
        specifier = wanted.specifier.split("?", 1)[0]
        local = _local_path(graph, path, specifier)
        if local is None:
            yield from _judge_package(graph, path, wanted, specifier)
            continue
        target = _find(graph, local)
        if target is None:
            yield finding(
                path,
                "unresolved-import",
                f"{wanted.specifier!r} does not exist.",
                line=wanted.line,
                shown=_source_line(graph, path, wanted.line),
            )
            continue
        if target in graph.modules:
            if not wanted.types_only:
                edges.setdefault(target, wanted)
            yield from _judge_names(graph, path, wanted, target)


def _local_path(graph: _Graph, path: str, specifier: str) -> str | None:
    """Where a specifier points inside the app, None for a package."""
    if specifier.startswith("."):
        return posixpath.normpath(posixpath.join(posixpath.dirname(path), specifier))
    if specifier.startswith("/"):  # Vite: from the app's root, or a public file
        return specifier.lstrip("/")
    for prefix, folder in graph.aliases:
        if specifier.startswith(prefix):
            return posixpath.normpath(posixpath.join(folder, specifier[len(prefix) :]))
    return None


def _find(graph: _Graph, local: str) -> str | None:
    candidates = [local + suffix for suffix in _TRIED_SUFFIXES]
    candidates += [local + index for index in _INDEXES]
    if local.endswith((".js", ".jsx")):  # TypeScript lets the output's name stand for the source
        stem = local.rpartition(".")[0]
        candidates += [stem + ".ts", stem + ".tsx"]
    candidates.append("public/" + local)
    return next((c for c in candidates if c in graph.files), None)


def _judge_package(graph: _Graph, path: str, wanted: Import, specifier: str) -> Iterator[Finding]:
    parts = specifier.split("/")
    name = "/".join(parts[:2]) if specifier.startswith("@") else parts[0]
    if name.startswith(("node:", "virtual:", "#")) or ":" in name or name in _NODE_BUILTINS:
        return
    types = "@types/" + name.removeprefix("@").replace("/", "__")
    if name in graph.packages or (wanted.types_only and types in graph.packages):
        return
    yield finding(
        path,
        "unknown-package",
        f"package {name!r} is not in package.json.",
        line=wanted.line,
        shown=_source_line(graph, path, wanted.line),
    )


def _judge_names(graph: _Graph, path: str, wanted: Import, target: str) -> Iterator[Finding]:
    for name in wanted.names:
        if name == STAR or _exports(graph, target, name, set()):
            continue
        what = "no default export" if name == "default" else f"no export {name!r}"
        yield finding(
            path,
            "missing-export",
            f"{target} has {what}.",
            line=wanted.line,
            shown=_source_line(graph, path, wanted.line),
        )


def _exports(graph: _Graph, path: str, name: str, seen: set[str]) -> bool:
    if path in seen:
        return False
    seen.add(path)
    module = graph.modules[path]
    if name in module.exports or path.endswith(".d.ts"):
        return True
    if name == "default":
        return False  # `export *` never carries it
    for star in module.stars:
        local = _local_path(graph, path, star)
        target = _find(graph, local) if local is not None else None
        # A package's exports are the compiler's to know.
        if target not in graph.modules or _exports(graph, target, name, seen):
            return True
    return False


def _cycles(graph: _Graph) -> Iterator[Finding]:
    edges = {
        path: {target for target, wanted in targets.items() if not wanted.lazy}
        for path, targets in graph.edges.items()
    }
    for _ in range(_MAX_CYCLES):
        try:
            TopologicalSorter(edges).prepare()
            return
        except CycleError as error:
            # graphlib walks from dependency to dependant; imports read the other way.
            cycle: list[str] = list(reversed(error.args[1]))
        start = cycle.index(min(cycle[:-1]))
        ring = [*cycle[start:-1], *cycle[:start]]
        ring.append(ring[0])
        yield finding(
            ring[0],
            "import-cycle",
            "modules import each other in a circle: " + " -> ".join(ring),
            line=graph.edges[ring[0]][ring[1]].line,
        )
        edges[ring[0]].discard(ring[1])


def _is_server(path: str) -> bool:
    return path.startswith("server/")


def _server_in_browser(graph: _Graph) -> Iterator[Finding]:
    """Walks value imports from every browser file; reports each edge that enters server code."""
    reached = [p for p in graph.edges if p.startswith("src/") and not TEST_PATH.search(p)]
    seen = set(reached)
    while reached:
        path = reached.pop()
        for target, wanted in graph.edges[path].items():
            if _is_server(target):
                yield finding(
                    path,
                    "browser-imports-server",
                    f"browser code imports {target}; only `import type` may reach the server.",
                    line=wanted.line,
                    shown=_source_line(graph, path, wanted.line),
                )
            elif target not in seen:
                seen.add(target)
                reached.append(target)
        for wanted in graph.modules[path].imports:
            name = wanted.specifier.removeprefix("node:").split("/")[0]
            is_node = wanted.specifier.startswith("node:") or (
                name in _NODE_PACKAGES or (name in _NODE_BUILTINS and name not in graph.packages)
            )
            if is_node and not wanted.types_only:
                yield finding(
                    path,
                    "browser-imports-node",
                    f"browser code imports Node's {wanted.specifier!r}, which no browser has.",
                    line=wanted.line,
                )


def _source_line(graph: _Graph, path: str, line: int) -> str:
    lines = graph.files[path].splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""
