"""Reads a test suite's files: what its tests can find out, and what they may depend on. Pure.

Running the tests tells how many assertions were made; only their text tells that none could fail,
and whether running them in another order or at another time could change anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tree_sitter import Node

from fleet.verification.imports import reachable
from fleet.verification.modules import bound_names, parse

TEST_FILE = re.compile(r"\.(test|spec)\.[cm]?[jt]sx?$")
_GROUP_CALL = re.compile(r"(describe|suite)\b")
_TEST_CALL = re.compile(r"(test|it)(\.\w+)*")
_FUNCTIONS = ("arrow_function", "function_expression")
# What depends on nothing outside of itself.
_CONSTANT = frozenset(
    {
        "string", "string_fragment", "escape_sequence", "template_string", "number", "true",
        "false", "null", "undefined", "regex", "regex_pattern", "regex_flags", "array", "object",
        "pair", "property_identifier", "unary_expression", "binary_expression",
        "parenthesized_expression", "arguments",
    }
)  # fmt: skip
_PLAIN = frozenset({"string", "number", "true", "false", "null"})
_BLOCK = "statement_block"
# A procedure that is called and not awaited: every promise is defined and truthy.
_PROMISE = re.compile(r"\((?:api|caller)(?:\.\w+){2,}\(.*\),?\s*\)", re.DOTALL)
_TRUE_OF_PROMISES = frozenset({"toBeDefined", "toBeTruthy", "toBeNull", "toBeUndefined"})
_SAME = frozenset({"toBe", "toEqual", "toStrictEqual"})
# Assertions that `expect` does not count.
_OTHER_ASSERTIONS = re.compile(
    r"""from\s*["'](node:assert|assert|chai)\b|\b(assert|assertType|expectTypeOf|should)\b"""
)
_EXPECT = re.compile(r"\bexpect\(")
_CLOCK_CALL = re.compile(
    r"\bnew Date(\(\s*\)|(?!\s*\()\b)|\bDate\.now\b|(?<!new )\bDate\(\s*\)|\bTemporal\.Now\b"
)
_DATABASE_CLOCK = re.compile(
    r"\bnow\(\)|\b(current_(date|time|timestamp)|local(time|timestamp))\b|\bclock_timestamp\(\)",
    re.IGNORECASE,
)
_STAMPED = re.compile(
    r"^\s*\"?(\w+)\"?\s+(?:date|time|timestamp)\w*[^,]*?\bdefault\s+(?:now|current_|local|clock_)",
    re.IGNORECASE | re.MULTILINE,
)
_MADE_TO_CHANGE = re.compile(
    r"^(?:export )?const \w+(?::[^=\n]+)? = (?:new (?:Map|Set|WeakMap)|\[\]|\{\})", re.M
)


@dataclass(frozen=True)
class TestCase:
    """One `test(…)` call. `idle` of the assertions in its text cannot fail.

    `all_idle`: it has no others, neither in its text nor in what it might call. An `inverted` test
    passes when it fails.
    """

    __test__ = False  # its name is no invitation to pytest

    line: int
    text: str
    idle: int
    idle_text: str
    all_idle: bool = False
    inverted: bool = False


@dataclass(frozen=True)
class Suite:
    """`by_order` and `by_clock`: whether another order, another time could change an outcome.

    `uncounted` are the files that may assert in ways that vitest does not count. `stamped` are the
    columns that the database itself fills with the time, in both spellings.
    """

    cases: Mapping[str, tuple[TestCase, ...]]
    uncounted: frozenset[str]
    by_order: bool
    by_clock: bool
    database_clock: bool
    stamped: frozenset[str]

    def case(self, path: str, line: int) -> TestCase | None:
        return next((case for case in self.cases.get(path, ()) if case.line == line), None)

    def mixes_clocks(self, path: str, line: int) -> bool:
        """Whether a test may compare the database's time, which cannot be moved, with Node's."""
        case = self.case(path, line)
        if self.database_clock or case is None:
            return True
        return any(re.search(rf"\b{name}\b", case.text) for name in self.stamped)


NO_SUITE = Suite(
    cases={},
    uncounted=frozenset(),
    by_order=False,
    by_clock=False,
    database_clock=False,
    stamped=frozenset(),
)


def read_suite(files: Mapping[str, str], scaffold: Mapping[str, str]) -> Suite:
    tests = [path for path in files if TEST_FILE.search(path)]
    run = reachable(files, tests)
    roots = {path: parse(path, files[path]) for path in tests}
    written = {path for path in run if files[path] != scaffold.get(path)}
    helped = any(_EXPECT.search(files[path]) for path in run if not TEST_FILE.search(path))
    sql = "\n".join(text for path, text in files.items() if path.endswith(".sql"))
    return Suite(
        cases={path: _cases(root, helped) for path, root in roots.items()},
        uncounted=frozenset(p for p in tests if _OTHER_ASSERTIONS.search(files[p])),
        by_order=any(_keeps_state(path, files[path]) for path in written)
        or any(_shares_rows(files, path, roots[path]) for path in tests if path in written),
        by_clock=any(_CLOCK_CALL.search(files[path]) for path in written),
        database_clock=any(_DATABASE_CLOCK.search(files[path]) for path in written),
        stamped=frozenset(n for name in _STAMPED.findall(sql) for n in (name, _camel(name))),
    )


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _keeps_state(path: str, text: str) -> bool:
    """Whether a module holds what can change: a variable, or an empty collection to be filled."""
    if _MADE_TO_CHANGE.search(text):
        return True
    return any(
        node.type == "variable_declaration" or _text(node).startswith("let")
        for node in _declarations(parse(path, text))
    )


def _declarations(node: Node) -> Iterator[Node]:
    """Those outside of functions, but for the functions that group tests."""
    for child in node.named_children:
        if child.type in ("lexical_declaration", "variable_declaration"):
            yield child
        elif child.type in ("export_statement", "expression_statement"):
            yield from _declarations(child)
        elif child.type == "call_expression" and _GROUP_CALL.match(_text(child)):
            for body in _bodies(child):
                yield from _declarations(body)
        elif child.type == "statement_block":
            yield from _declarations(child)


def _shares_rows(files: Mapping[str, str], path: str, root: Node) -> bool:
    """Whether a file's tests see the rows of those before them."""
    if not any(reached.startswith("server/") for reached in reachable(files, [path])):
        return False
    return not any(
        _text(node).startswith("beforeEach(")
        for node in root.named_children
        if node.type == "expression_statement"
    )


def _cases(root: Node, helped: bool) -> tuple[TestCase, ...]:
    found: list[TestCase] = []
    inside, outer = 0, _constants(root)
    for call in _calls(root):
        function = _text(call.child_by_field_name("function"))
        if not _TEST_CALL.fullmatch(function.split("(", 1)[0]):
            continue
        bodies = _bodies(call)
        if not bodies:
            continue
        expects = [node for node in _calls(bodies[-1]) if _is_expect(node)]
        inside += len(expects)
        bound = Counter(_bound_in(bodies[-1]))
        known = frozenset(name for name in outer if name not in bound)
        known |= {name for name in _constants(bodies[-1]) if bound[name] == 1}
        idle = [shown for shown in (_idle(node, known) for node in expects) if shown]
        found.append(
            TestCase(
                line=call.start_point[0] + 1,
                text=_text(call),
                idle=len(idle),
                idle_text=idle[0] if idle else "",
                all_idle=len(idle) == len(expects) > 0,
                inverted=".fails" in function,
            )
        )
    # A function of the file itself may assert as well.
    helped = helped or inside < sum(_is_expect(node) for node in _calls(root))
    return tuple(replace(case, all_idle=case.all_idle and not helped) for case in found)


def _bodies(call: Node) -> list[Node]:
    """The functions among a call's arguments."""
    arguments = call.child_by_field_name("arguments")
    given = arguments.named_children if arguments is not None else []
    return [node for node in given if node.type in _FUNCTIONS]


def _constants(body: Node) -> frozenset[str]:
    """Names that stand for a plain value all along."""
    statements = next((c.named_children for c in body.named_children if c.type == _BLOCK), None)
    return frozenset(
        _text(declared.child_by_field_name("name"))
        for node in (body.named_children if statements is None else statements)
        if node.type == "lexical_declaration" and _text(node).startswith("const")
        for declared in node.named_children
        if (value := declared.child_by_field_name("value")) is not None and value.type in _PLAIN
    )


def _bound_in(node: Node) -> Iterator[str]:
    """Every name that a function's text binds, as often as it does."""
    for child in node.named_children:
        if child.type == "variable_declarator":
            yield from bound_names(child.child_by_field_name("name"))
        elif child.type == "formal_parameters" or child in (
            node.child_by_field_name("parameter"),  # of an arrow or a catch
            node.child_by_field_name("left") if node.type == "for_in_statement" else None,
        ):
            yield from (name for part in (child, *child.named_children) for name in _names(part))
        yield from _bound_in(child)


def _names(parameter: Node) -> Iterator[str]:
    yield from bound_names(parameter.child_by_field_name("pattern") or parameter)


def _is_expect(call: Node) -> bool:
    return _text(call.child_by_field_name("function")) == "expect"


def _idle(call: Node, known: frozenset[str]) -> str:
    """The assertion that begins with this `expect(…)`, when it cannot fail; else ""."""
    arguments = call.child_by_field_name("arguments")
    if arguments is None:
        return ""
    member = call.parent
    if member is None or member.type != "member_expression":
        return _text(call)  # no matcher follows
    modifiers: list[str] = []
    while member.parent is not None and member.parent.type == "member_expression":
        modifiers.append(_text(member.child_by_field_name("property")))
        member = member.parent
    matched = member.parent
    if matched is None or matched.type != "call_expression":
        return _text(member)  # the matcher is named, but not called
    wanted = matched.child_by_field_name("arguments")
    if _constant(arguments, known) and (wanted is None or _constant(wanted, known)):
        return _text(matched)
    matcher = _text(member.child_by_field_name("property"))
    kinds = [node.type for node in arguments.named_children]
    if not modifiers and matcher in _SAME and kinds == ["identifier"]:
        return _text(matched) if _text(wanted) == _text(arguments) else ""
    settled = {"resolves", "rejects"} & set(modifiers)
    if not settled and matcher in _TRUE_OF_PROMISES and _PROMISE.fullmatch(_text(arguments)):
        return _text(matched)
    return ""


def _constant(node: Node, known: frozenset[str]) -> bool:
    return all(
        (child.type in _CONSTANT and _constant(child, known))
        or (child.type == "identifier" and _text(child) in known)
        for child in node.named_children
    )


def _calls(node: Node) -> Iterator[Node]:
    if node.type == "call_expression":
        yield node
    for child in node.named_children:
        yield from _calls(child)


def _text(node: Node | None) -> str:
    return node.text.decode() if node is not None and node.text is not None else ""
