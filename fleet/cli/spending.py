"""What was spent, in words: tokens, money, time, and what is left of a budget. Pure."""

from __future__ import annotations

from typing import Any

from fleet.generation.budget import dollars

Json = dict[str, Any]

_UNITS = {
    "steps": "steps",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "completion tokens",
}


def amount(number: float) -> str:
    """Three digits at most: 950, 1.2k, 48k, 1.2M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"
    return f"{number:.0f}"


def step_name(data: Json) -> str:
    """Before its title: its number as budgets count; "" for a gate run, which they do not."""
    if data.get("counted") is False:
        return ""
    number = (data.get("total") or {}).get("steps") or data.get("number")
    return f"step {number}  "


def step_words(data: Json) -> str:
    """After a step's title: its tokens, and what the build cost so far when that has a price."""
    prompt, completion = data.get("prompt_tokens") or 0, data.get("completion_tokens") or 0
    if not prompt and not completion:
        return ""
    words = f"{amount(prompt)} in, {amount(completion)} out"
    so_far = (data.get("total") or {}).get("cost_usd") or 0
    return f"{words}, {dollars(so_far)} so far" if so_far else words


def spent_words(spending: Json) -> str:
    words = [
        f"{spending['steps']} step{'' if spending['steps'] == 1 else 's'}",
        f"{amount(spending['prompt_tokens'])} prompt tokens"
        + (
            f" (prompt prefix repeated {spending['repeated_share']:.0%})"
            if spending["repeated_tokens"]
            else ""
        ),
        f"{amount(spending['completion_tokens'])} completion tokens",
    ]
    if spending["cost_usd"]:
        words.append(dollars(spending["cost_usd"]))
    words.append(f"{spending['wall_s']:.1f} s")
    return ", ".join(words)


def left_words(spending: Json) -> str:
    """What is left of the bound that is nearest to its end, and of the money; "" without bounds.
    `--json` has every bound."""
    bounds = [line for line in spending["budget"] if line["limit"]]
    if not bounds:
        return ""
    nearest = max(bounds, key=lambda line: line["used"] / line["limit"])
    return ", ".join(
        _left(line) for line in bounds if line is nearest or line["name"] == "cost_usd"
    )


def _left(line: Json) -> str:
    name, left, limit = line["name"], line["left"], line["limit"]
    if name == "cost_usd":
        return f"{dollars(left)} of {dollars(limit)}"
    if name == "wall_s":
        return f"{left:.0f} of {limit:.0f} s"
    return f"{amount(left)} of {amount(limit)} {_UNITS.get(name, name)}"
