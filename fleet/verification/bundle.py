"""The twin's pages as one bundle: a page is then three requests, not one for each module.

Judged as before: React's development build, and places in the bundle told as places in the source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fleet.domain.ids import WorkloadId
from fleet.domain.page import PageReport, PageVisit
from fleet.domain.verdict import Finding
from fleet.domain.workload import Command, CommandResult
from fleet.ports import Browser
from fleet.verification.evidence import app_place, finding, plain
from fleet.verification.sandbox import Executes

_HERE = Path(__file__).parent


def _script(name: str, **env: str) -> Command:
    text = (_HERE / name).read_text("utf-8")
    return Command(argv=("node", "--input-type=module", "-e", text), env=env, database=False)


BUNDLE = _script("bundle_pages.mjs")
MAX_FRAMES = 60
_CONFIG = "vite.config.ts"
_RESULT_START = '{"bundleErrors"'
_FRAME = re.compile(r"https?://[\w.-]+(?::\d+)?/(assets/[\w.-]+\.js):(\d+)(?::(\d+))?")
_CODE = re.compile(r"^\[[\w:-]+\]:?\s*")
_END_OF_LINE = 1_000_000


class BundleError(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str = ""
    line: int = 0
    code: str = ""
    message: str = ""


class _Outcome(BaseModel):
    errors: tuple[BundleError, ...] = Field(alias="bundleErrors")


class _Origins(BaseModel):
    frames: tuple[tuple[str, int] | None, ...]


def judge_bundle(result: CommandResult) -> list[Finding]:
    """Judges one run of `BUNDLE`."""
    line = next((x for x in result.stdout.splitlines() if x.startswith(_RESULT_START)), None)
    if result.exit_code is None:
        return [finding(_CONFIG, "bundle-timeout", "bundling the pages did not end.")]
    if line is None:
        code = result.exit_code
        message = f"the pages cannot be bundled: vite ended with exit code {code}."
        return [finding(_CONFIG, "bundle-failed", message, shown=result.stderr or result.stdout)]
    return [_judge(error) for error in _Outcome.model_validate_json(line).errors]


def _judge(error: BundleError) -> Finding:
    shown = plain(error.message).strip()
    place, number = app_place(shown)
    path = error.file.removeprefix("/app/") or place or _CONFIG
    first = _CODE.sub("", shown).split("\n", 1)[0]
    return finding(path, "build-error", first, line=error.line or number, shown=shown)


class SourceMappedBrowser:
    """A browser whose reports name the app's source files instead of the bundle."""

    def __init__(self, browser: Browser, sandbox: Executes, workload: WorkloadId) -> None:
        self._browser = browser
        self._sandbox = sandbox
        self._workload = workload

    async def visit(self, visit: PageVisit) -> PageReport:
        report = await self._browser.visit(visit)
        text = report.model_dump_json()
        # What a page merely says (React greets in each) is no evidence, and mapping costs.
        errors = tuple(entry for entry in report.console if entry.is_error)
        searched = report.model_copy(update={"console": errors}).model_dump_json()
        frames = list(dict.fromkeys(m.group() for m in _FRAME.finditer(searched)))[:MAX_FRAMES]
        if not frames:
            return report
        origins = dict(zip(frames, await self._origins(frames), strict=True))

        def original(match: re.Match[str]) -> str:
            origin = origins.get(match.group())
            if origin is None:
                return match.group()
            host = match.group().split("/assets/", 1)[0]
            return f"{host}/{origin[0]}:{origin[1]}"

        return PageReport.model_validate_json(_FRAME.sub(original, text))

    async def close(self) -> None:
        await self._browser.close()

    async def _origins(self, frames: Sequence[str]) -> Sequence[tuple[str, int] | None]:
        """Where each frame comes from; None where the bundle's map does not say."""
        asked: list[tuple[str, int, int]] = []
        for frame in frames:
            found = _FRAME.match(frame)
            assert found is not None
            # A console entry tells no column; the last thing on the line is the best guess.
            asked.append((found[1], int(found[2]), int(found[3] or _END_OF_LINE)))
        command = _script("map_frames.mjs", FRAMES=json.dumps(asked))
        result = await self._sandbox.execute(self._workload, command)
        try:
            return _Origins.model_validate_json(result.stdout.strip()).frames
        except ValidationError:  # the app's own build makes no map: its places stay the bundle's
            return [None] * len(frames)
