"""What builds and owners spent, as the API shows it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from fleet.domain.build import Build, Step
from fleet.domain.frozen import Frozen
from fleet.domain.ids import OwnerId
from fleet.generation.budget import (
    Budget,
    build_budget,
    counted,
    lines,
    owner_budget,
    spending_of,
    spent,
    total,
)
from fleet.ports import Spending, Store
from fleet.settings import Settings


class BudgetLine(Frozen):
    """One bound: `name` is "steps", "prompt_tokens", "completion_tokens", "cost_usd", "wall_s"."""

    name: str
    limit: float
    used: float
    left: float


class SpendingView(Frozen):
    """`repeated_share` (0 to 1) is the part of the prompt tokens that repeat the prompt before.

    `steps` counts the answers of models. Of a build, the amounts are its whole life's; `budget`
    tells of the present grant, whose time is counted to its end or to now. `wall_s` sums the time
    of the steps.
    """

    steps: int
    prompt_tokens: int
    completion_tokens: int
    repeated_tokens: int
    repeated_share: float
    cost_usd: float
    wall_s: float
    budget: tuple[BudgetLine, ...]


class OwnerSpendingView(SpendingView):
    """Of the last `period_s` seconds, which begin with the minute `since` lies in."""

    period_s: float
    since: datetime


def build_spending(
    build: Build, steps: list[Step], settings: Settings, now: datetime
) -> SpendingView:
    began = build.started_at or build.created_at
    granted_s = max(((build.finished_at or now) - began).total_seconds(), 0.0)
    present = spending_of(steps, build.budget_from, granted_s if build.started_at else 0.0)
    ever = Spending(
        steps=counted(steps), usage=total(steps), wall_s=sum(step.elapsed_s for step in steps)
    )
    return _view(ever, build_budget(settings), present)


def period_start(settings: Settings, now: datetime) -> datetime:
    return now - timedelta(seconds=settings.owner_period_s)


def owner_spending(spending: Spending, settings: Settings, now: datetime) -> OwnerSpendingView:
    view = _view(spending, owner_budget(settings), spending)
    return OwnerSpendingView(
        **dict(view), period_s=settings.owner_period_s, since=period_start(settings, now)
    )


def _view(shown: Spending, budget: Budget, against: Spending) -> SpendingView:
    usage = shown.usage
    prompt = usage.prompt_tokens
    return SpendingView(
        steps=shown.steps,
        prompt_tokens=prompt,
        completion_tokens=usage.completion_tokens,
        repeated_tokens=usage.repeated_tokens,
        repeated_share=round(usage.repeated_tokens / prompt, 4) if prompt else 0.0,
        cost_usd=usage.cost_microusd / 1_000_000,
        wall_s=round(shown.wall_s, 3),
        budget=tuple(
            BudgetLine(name=line.name, limit=line.limit, used=round(line.used, 6), left=line.left)
            for line in lines(budget, against)
        ),
    )


async def owner_has_room_at(
    store: Store, owner: OwnerId, settings: Settings, now: datetime
) -> datetime | None:
    """When enough of what the owner's builds spent will be older than the period; None: now.

    The spending of a minute counts to the end of that minute, and never grows as time goes on:
    so the first minute at which it is below every bound is found by halving."""
    budget = owner_budget(settings)
    if not budget.bounded:
        return None
    start = period_start(settings, now)
    if not spent(budget, await store.owner_spending(owner, start)):
        return None
    first = start.replace(second=0, microsecond=0)
    low, high = 0, math.ceil(settings.owner_period_s / 60) + 1
    while high - low > 1:
        middle = (low + high) // 2
        since = first + timedelta(minutes=middle)
        if spent(budget, await store.owner_spending(owner, since)):
            low = middle
        else:
            high = middle
    return first + timedelta(minutes=high, seconds=settings.owner_period_s)
