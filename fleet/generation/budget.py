"""What a build and its owner may spend, what they spent, and what that costs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fleet.domain.build import Step
from fleet.domain.chat import Usage
from fleet.domain.frozen import Frozen
from fleet.ports import Spending
from fleet.settings import Settings

WARN_SHARE = 0.8
# With less left than this an answer could hardly hold one call, so none is asked for.
MIN_ANSWER_TOKENS = 256
MICRO = 1_000_000
SMALLEST_USD = 0.0001


class Budget(Frozen):
    """Bounds; 0 means none. `who` spends it; `whose` goes before an amount in a sentence, `span`
    after it. `steps` are completions: see `Step.counted`."""

    steps: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    wall_s: float
    who: str = "The build has"
    whose: str = "its"
    span: str = ""

    @property
    def bounded(self) -> bool:
        return any((self.steps, self.prompt_tokens, self.completion_tokens)) or bool(
            self.cost_usd or self.wall_s
        )


class Line(Frozen):
    """One bound of a budget and how much of it is used; `words` name it in a sentence."""

    name: str
    limit: float
    used: float
    words: str

    @property
    def left(self) -> float:
        return max(self.limit - self.used, 0.0)


def build_budget(settings: Settings) -> Budget:
    return Budget(
        steps=settings.max_steps,
        prompt_tokens=settings.max_prompt_tokens,
        completion_tokens=settings.max_completion_tokens,
        cost_usd=settings.max_cost_usd,
        wall_s=settings.max_build_s,
    )


def owner_budget(settings: Settings) -> Budget:
    return Budget(
        steps=settings.owner_max_steps,
        prompt_tokens=settings.owner_max_prompt_tokens,
        completion_tokens=settings.owner_max_completion_tokens,
        cost_usd=settings.owner_max_cost_usd,
        wall_s=settings.owner_max_wall_s,
        who="The builds of this owner have",
        whose="their",
        span=f" of {duration(settings.owner_period_s)}",
    )


def spending_of(steps: Sequence[Step], budget_from: int, wall_s: float) -> Spending:
    """Of the present budget: the steps above `budget_from`, and the time since it was granted."""
    own = [step for step in steps if step.number > budget_from]
    return Spending(steps=counted(own), usage=total(own), wall_s=wall_s)


def counted(steps: Sequence[Step]) -> int:
    return sum(step.counted for step in steps)


def total(steps: Sequence[Step]) -> Usage:
    usage = Usage()
    for step in steps:
        usage = usage.plus(step.usage)
    return usage


def lines(budget: Budget, spending: Spending) -> tuple[Line, ...]:
    """The bounds that are set, in the order they are told."""
    usage = spending.usage
    every = (
        ("steps", budget.steps, spending.steps, f"{budget.steps} steps"),
        (
            "prompt_tokens",
            budget.prompt_tokens,
            usage.prompt_tokens,
            f"{budget.prompt_tokens} prompt tokens",
        ),
        (
            "completion_tokens",
            budget.completion_tokens,
            usage.completion_tokens,
            f"{budget.completion_tokens} completion tokens",
        ),
        ("cost_usd", budget.cost_usd, usage.cost_microusd / MICRO, dollars(budget.cost_usd)),
        ("wall_s", budget.wall_s, spending.wall_s, f"{budget.wall_s:.0f} seconds"),
    )
    return tuple(
        Line(name=name, limit=limit, used=used, words=f"{budget.whose} {words}{budget.span}")
        for name, limit, used, words in every
        if limit
    )


def spent(budget: Budget, spending: Spending) -> str:
    """Which bound is reached, in plain words; "" while none is."""
    for line in lines(budget, spending):
        too_little = line.name == "completion_tokens" and line.used > 0
        if line.left <= 0 or (too_little and line.left < MIN_ANSWER_TOKENS):
            return line.words
    return ""


def warning(budget: Budget, before: Spending, after: Spending) -> str:
    """What to say once, when `after` passes the share that `before` had not; else "".

    Passed and used up by the same step, that is said: the last answer may still be verified."""
    passed = [
        now
        for then, now in zip(lines(budget, before), lines(budget, after), strict=True)
        if then.used < WARN_SHARE * now.limit <= now.used
    ]
    told = [
        f"{share} of {' and of '.join(line.words for line in some)}"
        for share, some in (
            ("all", [line for line in passed if not line.left]),
            (f"{WARN_SHARE:.0%}", [line for line in passed if line.left]),
        )
        if some
    ]
    return f"{budget.who} spent {' and '.join(told)}." if told else ""


def answer_tokens(budget: Budget, spending: Spending, wanted: int, dearest_usd: float) -> int:
    """How long one answer may be; `dearest_usd` is the price of a million completion tokens."""
    allowed = wanted
    for line in lines(budget, spending):
        if line.name == "completion_tokens":
            allowed = min(allowed, int(line.left))
        elif line.name == "cost_usd" and dearest_usd:
            allowed = min(allowed, int(line.left / dearest_usd * MICRO))
    return max(allowed, 1)


def priced(usage: Usage, model: str, settings: Settings) -> Usage:
    """With its cost, rounded up to a millionth of a dollar; a model without a price costs nothing.

    `repeated_tokens` are part of `prompt_tokens` and have a price of their own where one is set.
    """
    price = settings.price_of(model)
    if price is None:
        return usage
    repeated = min(usage.repeated_tokens, usage.prompt_tokens)
    dear = price.prompt if price.repeated is None else price.repeated
    cost = (
        (usage.prompt_tokens - repeated) * price.prompt
        + repeated * dear
        + usage.completion_tokens * price.completion
    )
    return usage.model_copy(update={"cost_microusd": math.ceil(round(cost, 6))})


def dollars(usd: float) -> str:
    """Cents at least, four decimals at most; less than they can show is not told as nothing."""
    if 0 < usd < SMALLEST_USD:
        return f"<${SMALLEST_USD}"
    whole, decimals = f"{usd:.4f}".split(".")
    return f"${whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def duration(seconds: float) -> str:
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} seconds"
