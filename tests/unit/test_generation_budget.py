"""What budgets say: pure decisions over plain numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fleet.domain.build import Step, StepKind
from fleet.domain.chat import Usage
from fleet.domain.ids import BuildId
from fleet.generation.budget import (
    Budget,
    answer_tokens,
    build_budget,
    dollars,
    lines,
    owner_budget,
    priced,
    spending_of,
    spent,
    warning,
)
from fleet.ports import Spending
from fleet.settings import Price, Settings

FREE = {"*": Price()}
NONE = Budget(steps=0, prompt_tokens=0, completion_tokens=0, cost_usd=0.0, wall_s=0.0)


def step(number: int, **usage: int) -> Step:
    return Step(
        number=number,
        build=BuildId("bld_1"),
        task=None,
        kind=StepKind.PRODUCER,
        title="x",
        messages=(),
        writes={},
        facts={},
        usage=Usage(**usage),
        elapsed_s=1.0,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_without_bounds_nothing_is_ever_spent() -> None:
    much = Spending(steps=10**6, usage=Usage(prompt_tokens=10**9), wall_s=1e9)
    assert spent(NONE, much) == "" and lines(NONE, much) == () and not NONE.bounded
    assert answer_tokens(NONE, much, 16_000, 15.0) == 16_000


@pytest.mark.parametrize(
    ("settings", "spending", "words"),
    [
        (Settings(max_steps=3), Spending(steps=3), "its 3 steps"),
        (
            Settings(max_prompt_tokens=10),
            Spending(usage=Usage(prompt_tokens=11)),
            "its 10 prompt tokens",
        ),
        (
            Settings(max_completion_tokens=5),
            Spending(usage=Usage(completion_tokens=5)),
            "its 5 completion tokens",
        ),
        (
            Settings(max_cost_usd=0.5, model_prices=FREE),
            Spending(usage=Usage(cost_microusd=500_000)),
            "its $0.50",
        ),
        (Settings(max_build_s=9), Spending(wall_s=9.0), "its 9 seconds"),
    ],
)
def test_a_spent_budget_is_named(settings: Settings, spending: Spending, words: str) -> None:
    assert spent(build_budget(settings), spending) == words
    assert spent(build_budget(Settings()), spending) == ""


def test_an_owners_budget_names_its_period() -> None:
    settings = Settings(owner_max_cost_usd=20, owner_period_s=7 * 86_400, model_prices=FREE)
    over = Spending(usage=Usage(cost_microusd=20_000_000))
    assert spent(owner_budget(settings), over) == "their $20.00 of 7 days"
    odd = Settings(owner_max_steps=1, owner_period_s=90)
    assert spent(owner_budget(odd), Spending(steps=1)) == "their 1 steps of 90 seconds"


def test_too_little_left_for_an_answer_is_spent_but_an_untouched_budget_is_not() -> None:
    budget = build_budget(Settings(max_completion_tokens=1_000))
    assert spent(budget, Spending(usage=Usage(completion_tokens=744))) == ""
    assert spent(budget, Spending(usage=Usage(completion_tokens=745))) != ""
    small = build_budget(Settings(max_completion_tokens=100))
    assert spent(small, Spending()) == ""


def test_only_steps_since_the_grant_count() -> None:
    steps = [step(n, prompt_tokens=10) for n in range(1, 6)]
    assert spending_of(steps, 3, 4.0) == Spending(
        steps=2, usage=Usage(prompt_tokens=20), wall_s=4.0
    )


def test_gates_and_compactions_without_a_model_are_no_steps_of_a_budget() -> None:
    kinds = {StepKind.GATE: 0, StepKind.COMPACTION: 0, StepKind.PRODUCER: 1, StepKind.ARCHITECT: 1}
    for kind, counts in kinds.items():
        made = step(1).model_copy(update={"kind": kind})
        assert spending_of([made], 0, 0.0).steps == counts, kind
    by_a_model = step(1, completions=1).model_copy(update={"kind": StepKind.COMPACTION})
    assert spending_of([by_a_model], 0, 0.0).steps == 1


def test_a_warning_comes_when_the_share_is_passed_and_never_again() -> None:
    budget = build_budget(Settings(max_steps=10, max_build_s=100))
    seven, eight, nine = (Spending(steps=n, wall_s=n * 10.0) for n in (7, 8, 9))
    assert warning(budget, seven, eight) == (
        "The build has spent 80% of its 10 steps and of its 100 seconds."
    )
    assert warning(budget, eight, nine) == ""
    over = Spending(steps=11, wall_s=95.0)
    assert warning(budget, seven, over) == (
        "The build has spent all of its 10 steps and 80% of its 100 seconds."
    )
    assert warning(budget, nine, over) == ""
    owner = owner_budget(Settings(owner_max_steps=10))
    assert warning(owner, seven, eight) == (
        "The builds of this owner have spent 80% of their 10 steps of 1 day."
    )


def test_an_answer_is_bounded_by_what_is_left_of_tokens_and_money() -> None:
    settings = Settings(max_completion_tokens=1_000, max_cost_usd=1.0, model_prices=FREE)
    spending = Spending(usage=Usage(completion_tokens=400, cost_microusd=994_000))
    assert answer_tokens(build_budget(settings), spending, 16_000, 0.0) == 600
    assert answer_tokens(build_budget(settings), spending, 16_000, 15.0) == 400
    assert answer_tokens(build_budget(settings), spending, 100, 15.0) == 100
    over = Spending(usage=Usage(completion_tokens=2_000))
    assert answer_tokens(build_budget(settings), over, 16_000, 15.0) == 1


def test_a_price_counts_the_repeated_prefix_by_its_own_rate() -> None:
    usage = Usage(prompt_tokens=1_000, completion_tokens=100, repeated_tokens=900)
    settings = Settings(
        model_prices={
            "cached": Price(prompt=3.0, completion=15.0, repeated=0.3),
            "plain": Price(prompt=3.0, completion=15.0),
            "tiny": Price(prompt=0.1),
        }
    )
    assert priced(usage, "cached", settings).cost_microusd == 300 + 270 + 1_500
    assert priced(usage, "plain", settings).cost_microusd == 3_000 + 1_500
    assert priced(Usage(prompt_tokens=1), "tiny", settings).cost_microusd == 1  # never for nothing
    assert priced(usage, "unknown", settings) == usage


def test_amounts_of_money_are_short() -> None:
    told = [dollars(usd) for usd in (0.0, 0.5, 0.0123, 0.123, 1.0, 12.34567, 1e-6)]
    assert told == ["$0.00", "$0.50", "$0.0123", "$0.123", "$1.00", "$12.3457", "<$0.0001"]
