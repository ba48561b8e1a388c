"""Run as a script by `search.py`: one regular expression over files given on standard input."""

from __future__ import annotations

import json
import re
import sys
import warnings


def main() -> None:
    warnings.simplefilter("ignore")
    question = json.load(sys.stdin)
    pattern, left = re.compile(question["pattern"]), question["limit"]
    found: dict[str, list[int]] = {}
    for path, content in question["files"].items():
        for number, line in enumerate(content.splitlines()):
            if left > 0 and pattern.search(line):
                found.setdefault(path, []).append(number)
                left -= 1
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
