"""Apps without tables: one page, its logic as pure functions, and the tests of those."""

from __future__ import annotations

from serve.models.blueprint.app_model import AppModel, Widget
from serve.models.blueprint.lexicon import quiz_questions
from serve.models.blueprint.render import fill, literal

# What the first expectation of each widget's test is, and what the fault `failing-test` claims.
_EXPECTED = {
    Widget.TIMER: ("50_000", "51_000"),
    Widget.STOPWATCH: ("3_000", "3_500"),
    Widget.COUNTER: ("5", "6"),
    Widget.CALCULATOR: ("14", "20"),
    Widget.DICE: ("7", "8"),
    Widget.QUIZ: ("1", "2"),
    Widget.LANDING: ("3", "4"),
}


def play_files(model: AppModel, *, wrong_test: bool = False) -> dict[str, str]:
    widget = model.widget
    page = "PlayPage" if model.entities else "HomePage"
    return {
        "src/play/play.css": fill("play.css"),
        f"src/play/{widget.value}.ts": fill(f"{widget.value}.ts", **_logic_values(model)),
        f"src/pages/{page}.tsx": fill(f"{widget.value}.tsx", component=page),
        f"tests/{widget.value}.test.ts": fill(
            f"{widget.value}.test.ts", expected=_EXPECTED[widget][1 if wrong_test else 0]
        ),
    }


def _logic_values(model: AppModel) -> dict[str, str]:
    if model.widget is Widget.TIMER:
        return {"minutes": str(model.minutes)}
    if model.widget is Widget.QUIZ:
        lines = "".join(f"  {literal(q)},\n" for q in quiz_questions())
        return {"questions": f"[\n{lines}]"}
    if model.widget is Widget.LANDING:
        lead = " ".join(model.message.split())[:200] or model.title
        return {"title": literal(model.title), "lead": literal(lead)}
    return {}
