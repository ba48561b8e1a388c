"""Reads one TypeScript file's imports and exports with tree-sitter. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

STAR = "*"
CODE_SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs")
TEST_PATH = re.compile(r"(\.(test|spec)\.[cm]?[jt]sx?$)|(^|/)(tests?|__tests__)/")


@dataclass(frozen=True)
class Import:
    """`names` are the exported names asked for; `*` (namespace, side effect) asks for none.

    `types_only` imports vanish when types are stripped; `lazy` ones are `import("…")` calls.
    """

    specifier: str
    names: tuple[str, ...]
    line: int
    types_only: bool = False
    lazy: bool = False
    reexport: bool = False


@dataclass(frozen=True)
class Module:
    """`stars` are the specifiers of `export * from`."""

    imports: tuple[Import, ...]
    exports: frozenset[str]
    stars: tuple[str, ...]


@cache
def _parser(tsx: bool) -> Parser:
    language = (
        tree_sitter_typescript.language_tsx()
        if tsx
        else tree_sitter_typescript.language_typescript()
    )
    return Parser(Language(language))


def parse(path: str, text: str) -> Node:
    """Never fails: what cannot be parsed is the compiler's to report."""
    # Angle-bracket casts parse only without JSX, JSX only with it.
    return _parser(not path.endswith((".ts", ".mts", ".cts"))).parse(text.encode()).root_node


def read_module(path: str, text: str) -> Module:
    root = parse(path, text)
    imports: list[Import] = []
    exports: set[str] = set()
    stars: list[str] = []
    for node in root.named_children:
        if node.type == "import_statement":
            imports += _import(node)
        elif node.type == "export_statement":
            imported, names, star = _export(node)
            imports += imported
            exports |= names
            stars += star
    imports += _lazy_imports(root)
    return Module(tuple(imports), frozenset(exports), tuple(stars))


def _text(node: Node | None) -> str:
    return node.text.decode() if node is not None and node.text is not None else ""


def _unquote(node: Node | None) -> str:
    return _text(node).strip("'\"`")


def _is_type(node: Node) -> bool:
    return any(child.type == "type" and not child.is_named for child in node.children)


def _import(node: Node) -> list[Import]:
    source = node.child_by_field_name("source")
    line = node.start_point[0] + 1
    clause = next((c for c in node.named_children if c.type == "import_clause"), None)
    if source is None:  # import x = require("…")
        required = next((c for c in node.named_children if c.type == "import_require_clause"), None)
        source = required.child_by_field_name("source") if required is not None else None
        return [Import(_unquote(source), (STAR,), line)] if source is not None else []
    names: list[tuple[str, bool]] = []
    for part in clause.named_children if clause is not None else []:
        if part.type == "identifier":
            names.append(("default", False))
        elif part.type == "namespace_import":
            names.append((STAR, False))
        elif part.type == "named_imports":
            names += [
                (_unquote(s.child_by_field_name("name")), _is_type(s))
                for s in part.named_children
                if s.type == "import_specifier"
            ]
    types_only = _is_type(node) or (bool(names) and all(is_type for _, is_type in names))
    return [Import(_unquote(source), tuple(n for n, _ in names) or (STAR,), line, types_only)]


def _export(node: Node) -> tuple[list[Import], set[str], list[str]]:
    source = node.child_by_field_name("source")
    line = node.start_point[0] + 1
    names: set[str] = set()
    asked: list[tuple[str, bool]] = []
    star = False
    for child in node.children:
        if child.type == "export_clause":
            for specifier in child.named_children:
                name = _unquote(specifier.child_by_field_name("name"))
                alias = specifier.child_by_field_name("alias")
                names.add(_unquote(alias) if alias is not None else name)
                asked.append((name, _is_type(specifier)))
        elif child.type == "namespace_export":
            names |= {_unquote(n) for n in child.named_children}
            asked.append((STAR, False))
        elif child.type == "*":
            star = True
        elif child.type == "default":
            names.add("default")
    declaration = node.child_by_field_name("declaration")
    if declaration is not None and "default" not in names:
        names |= set(_declared(declaration))
    if source is None:
        return [], names, []
    types_only = _is_type(node) or (bool(asked) and all(is_type for _, is_type in asked))
    wanted = tuple(name for name, _ in asked) or (STAR,)
    imported = Import(_unquote(source), wanted, line, types_only, reexport=True)
    return [imported], names, [_unquote(source)] if star else []


def _declared(node: Node) -> Iterator[str]:
    """Names a declaration brings into scope."""
    if node.type == "ambient_declaration":
        for child in node.named_children:
            yield from _declared(child)
        return
    if name := node.child_by_field_name("name"):
        yield from bound_names(name)
    for child in node.named_children:
        if child.type == "variable_declarator":
            yield from bound_names(child.child_by_field_name("name"))


def bound_names(node: Node | None) -> Iterator[str]:
    """Names a binding pattern binds."""
    if node is None:
        return
    if node.type in (
        "identifier",
        "type_identifier",
        "shorthand_property_identifier_pattern",
    ):
        yield _text(node)
    elif node.type == "pair_pattern":
        yield from bound_names(node.child_by_field_name("value"))
    elif node.type in ("assignment_pattern", "object_assignment_pattern"):
        yield from bound_names(node.child_by_field_name("left"))
    else:
        for child in node.named_children:
            yield from bound_names(child)


def _lazy_imports(root: Node) -> Iterator[Import]:
    stack = [root]
    while stack:
        node = stack.pop()
        stack.extend(node.named_children)
        if node.type != "call_expression":
            continue
        function = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        if function is None or function.type != "import" or arguments is None:
            continue
        first = arguments.named_children[0] if arguments.named_children else None
        if first is not None and first.type == "string":
            yield Import(_unquote(first), (STAR,), node.start_point[0] + 1, lazy=True)
