"""What to say of a model's name that the built-in endpoint does not know. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from fleet.errors import InvalidInput

_MOST_NAMES = 4
_NUMBER = re.compile(r"\d+$")


def no_such_model(wanted: str, offered: Sequence[str]) -> InvalidInput:
    """The names nearest to `wanted`, then how names are made up."""
    near = difflib.get_close_matches(wanted, offered, n=_MOST_NAMES, cutoff=0.5)
    names = near or list(offered[:_MOST_NAMES])
    numbered = [_NUMBER.sub("N", n.rpartition("+")[2]) for n in offered if _NUMBER.search(n)]
    rules = ["Parts combine with +"] if any("+" in n for n in offered) else []
    if numbered:
        rules.append(f"any number will do in {', '.join(numbered)}")
    told = f"{'Nearest' if near else 'For example'}: {', '.join(names)}."
    return InvalidInput(
        f"There is no model {wanted!r}.",
        action=f"{told} {'; '.join(rules)}." if rules else told,
    )
