"""What a weak model does instead of its work. Each is a function of the scene and the right reply;
the reply itself is returned where the fault has nothing to do (any more)."""

from __future__ import annotations

from collections.abc import Callable

from fleet.domain.chat import FinishReason
from serve.models.blueprint.conversation import text_of
from serve.models.blueprint.fault import REFUSAL_WORDS, Fault
from serve.models.blueprint.producer import Work
from serve.models.blueprint.reply import Call, Reply
from serve.models.blueprint.scene import Scene

Detour = Callable[[Scene, Work, Reply], Reply]

OVERSIZED_CHARS = 210_000  # above the platform's `max_write_bytes`
OVERSIZED_TRIES = 2
OUTSIDE_PATH = "docs/decisions.md"
OUTSIDE_REASON = "The decisions of this task are kept beside the app, for whoever works on it next."
OUTSIDE_TRIES = 4
RISKY_SQL = (
    "create table scratch_notes (id int)",
    "insert into scratch_notes values (1), (2)",
    "delete from scratch_notes",
    "drop table scratch_notes",
)
REASONING_CHARS = 48_000
_MARKS = ("// the first way\n", "// the other way\n")
_FIRST_LINES = 5
_LOOKED_FOR = ("router", "export", "create", "placeholder", "import", "table")


def diagnose_loop(scene: Scene, work: Work, reply: Reply) -> Reply:
    """Reads and searches, never twice the same, until it is told to edit."""
    if scene.began or scene.was_told("no_edit", "same_call"):
        return reply
    return Reply(text="I need to understand this better first.", calls=(look(scene),))


def look(scene: Scene) -> Call:
    """Another look at every turn: at what evidence names, else at the next file; or a search."""
    named = [text_of(f.get("where")).partition(":")[0] for f in scene.latest]
    code = [p for p in scene.paths if p.startswith(("src/", "server/", "tests/"))]
    paths = [p for p in named if p in scene.paths] or code or ["server/router.ts"]
    turn, round_ = scene.turn % len(paths), scene.turn // len(paths)
    if scene.turn % 4 == 3:
        return Call("search", {"text": _LOOKED_FOR[scene.turn // 4 % len(_LOOKED_FOR)]})
    return Call("read_file", {"path": paths[turn], "first_line": 1 + round_ % _FIRST_LINES})


def undo_loop(scene: Scene, work: Work, reply: Reply) -> Reply:
    """Edits one file to and fro. Being told does not help; a forced choice does."""
    target = _source_file(work)
    forced = scene.was_told("alternating", "rewrites", levels=("forced", "fresh"))
    if forced or target is None or target[0] in scene.progress.files:
        return reply
    path, content = target
    text = scene.known.texts.get(path)
    if text is None:
        return Reply(calls=(Call("write_file", {"path": path, "content": content + _MARKS[0]}),))
    old, new = _MARKS if text.endswith(_MARKS[0]) else _MARKS[::-1]
    if not text.endswith(old):
        return reply  # its own right text: the work went on
    said = "That was wrong, I take it back."
    return Reply(text=said, calls=(Call("edit_file", {"path": path, "old": old, "new": new}),))


def oversized_file(scene: Scene, work: Work, reply: Reply) -> Reply:
    """Everything in one file, which is refused; then each part in its own."""
    tries = sum(
        made.call.name == "write_file" and len(made.call.arguments) > OVERSIZED_CHARS
        for made in scene.done
    )
    target = _source_file(work)
    if tries >= OVERSIZED_TRIES or target is None or scene.was_told("oversized") or scene.began:
        return reply
    path, content = target
    line = f"// {path}: one file is simpler than many, so all of it goes in here.\n"
    size = OVERSIZED_CHARS + 5_000 * (OVERSIZED_TRIES - tries)
    everything = content + line * ((size - len(content)) // len(line) + 1)
    return Reply(
        text="One file for everything.",
        calls=(Call("write_file", {"path": path, "content": everything}),),
    )


def scope_escape(scene: Scene, work: Work, reply: Reply) -> Reply:
    """Writes a document that its task may not write; told so, it gives the reason."""
    tries = [a for a in scene.done if a.arguments.get("path") == OUTSIDE_PATH]
    written = any(not a.failed for a in tries) or OUTSIDE_PATH in scene.progress.files
    if written or len(tries) >= OUTSIDE_TRIES or _scope_holds_all(scene):
        return reply
    arguments: dict[str, object] = {
        "path": OUTSIDE_PATH,
        "content": f"# Decisions\n\n- {text_of(scene.task.get('title'))}\n",
    }
    if tries:
        arguments["reason_outside_scope"] = OUTSIDE_REASON
    return Reply(calls=(Call("write_file", arguments),))


def _scope_holds_all(scene: Scene) -> bool:
    scope = scene.task.get("scope")
    return not isinstance(scope, list) or "**" in scope


def risky_sql(scene: Scene, work: Work, reply: Reply) -> Reply:
    """Tries things out on dev's own data before it starts, each once, whatever comes of it."""
    left = _risky_left(scene)
    if not left or (scene.began and len(left) == len(RISKY_SQL)):
        return reply
    arguments: dict[str, object] = {"sql": left[0], "database": "dev", "write": True}
    return Reply(text="Let me try this on dev.", calls=(Call("run_sql", arguments),))


def risky_sql_begun(scene: Scene) -> bool:
    return 0 < len(_risky_left(scene)) < len(RISKY_SQL)


def _risky_left(scene: Scene) -> list[str]:
    made = {text_of(a.arguments.get("sql")) for a in scene.done if a.call.name == "run_sql"}
    return [sql for sql in RISKY_SQL if sql not in made | set(scene.progress.sql)]


def refusal(scene: Scene, work: Work, reply: Reply) -> Reply:
    return Reply(refusal=REFUSAL_WORDS)


def endless_reasoning(scene: Scene, work: Work, reply: Reply) -> Reply:
    if scene.turn not in (0, 2):
        return reply
    thought = "Wait. On the other hand, the table could come first, or the page. Let me think. "
    endless = thought * (REASONING_CHARS // len(thought))
    return Reply(reasoning=endless, finish=FinishReason.LENGTH)


def empty_answers(scene: Scene, work: Work, reply: Reply) -> Reply:
    return Reply() if scene.turn in (0, 3) else reply


def unknown_tool(scene: Scene, work: Work, reply: Reply) -> Reply:
    """Names of other platforms' tools, until the error tells it what there is."""
    if scene.turn >= 2 or not reply.calls:
        return reply
    first = reply.calls[0]
    arguments = {"file": first.arguments.get("path", ""), "text": "…"}
    name = ("create_file", "functions.apply_patch")[scene.turn]
    return Reply(calls=(Call(name, dict(arguments)),))


DETOURS: dict[Fault, Detour] = {
    Fault.REFUSAL: refusal,
    Fault.ENDLESS_REASONING: endless_reasoning,
    Fault.EMPTY_ANSWERS: empty_answers,
    Fault.UNKNOWN_TOOL: unknown_tool,
    Fault.RISKY_SQL: risky_sql,
    Fault.DIAGNOSE_LOOP: diagnose_loop,
    Fault.UNDO_LOOP: undo_loop,
    Fault.OVERSIZED_FILE: oversized_file,
    Fault.SCOPE_ESCAPE: scope_escape,
}


def _source_file(work: Work) -> tuple[str, str] | None:
    """The task's first whole source file that takes comments."""
    return next(
        (
            (edit.path, edit.content)
            for edit in work.wanted
            if edit.content is not None
            and edit.rewritable
            and edit.path.startswith(("src/", "server/"))
            and edit.path.endswith((".ts", ".tsx"))
        ),
        None,
    )
