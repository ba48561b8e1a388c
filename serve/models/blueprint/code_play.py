"""Apps without tables: one page, its logic as pure functions, and the tests of those."""

from __future__ import annotations

import re

from serve.models.blueprint.app_model import AppModel, Widget
from serve.models.blueprint.lexicon import landing_copy, quiz_questions
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
    style = {"src/play/landing.css": fill("landing.css")} if widget is Widget.LANDING else {}
    return style | {
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
        return _landing_values(model)
    return {}


def _landing_values(model: AppModel) -> dict[str, str]:
    """Words for the subject, never the message itself: that is a wish, not a text for readers."""
    copy = landing_copy()
    words = set(re.findall(r"\w+", f"{model.title} {model.message}".lower()))
    title_words = set(re.findall(r"\w+", model.title.lower()))
    kinds = sorted(copy["kinds"], key=lambda kind: title_words.isdisjoint(kind["words"]))
    words -= {"app", "tool", "software"} - title_words  # "an app for…" says nothing of the subject
    kind = next((k for k in kinds if not words.isdisjoint(k["words"])), copy["other"])
    sections = "".join(
        f"    {{ title: {literal(title)}, text: {literal(text)} }},\n"
        for title, text in kind["sections"]
    )
    lead, title = literal(kind["lead"]), literal(model.title)
    return {"title": title, "lead": lead, "sections": sections}
