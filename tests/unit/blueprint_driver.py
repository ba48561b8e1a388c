"""Drives blueprint as the architect and the producer would, with tools held in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from fleet.domain.chat import ChatMessage, Completion, CompletionRequest, Role, ToolSchema
from fleet.domain.plan import Plan
from serve.models.blueprint import Behaviour, Fault, Spoken, behaviour_of, speak

SCAFFOLD = Path(__file__).parents[2] / "catalog" / "scaffold"
ARCHITECT_TOOLS = ("submit_plan", "list_files", "read_file")
PRODUCER_TOOLS = ("write_file", "edit_file", "read_file", "delete_file", "claim_done")


def scaffold_files() -> dict[str, str]:
    folders = ("node_modules", "dist")
    paths = (p for p in SCAFFOLD.rglob("*") if p.is_file())
    named = {p.relative_to(SCAFFOLD).as_posix(): p for p in paths}
    return {n: p.read_text("utf-8") for n, p in named.items() if n.split("/")[0] not in folders}


def fenced(kind: str, body: object) -> str:
    return f"Here it is.\n\n```json appfleet:{kind}\n{json.dumps(body, indent=1)}\n```\n"


def ask(messages: list[ChatMessage], tools: tuple[str, ...], behaviour: Behaviour) -> Spoken:
    schemas = tuple(ToolSchema(name=t, description="", parameters={}) for t in tools)
    request = CompletionRequest(model="blueprint", messages=tuple(messages), tools=schemas)
    spoken = speak(request, behaviour)
    assert spoken == speak(request, behaviour), "the same conversation gets the same answer"
    return spoken


@dataclass
class Build:
    """One build over `files`; `run` is the happy way, the steps can be taken singly."""

    message: str
    files: dict[str, str]
    fault: Fault = Fault.NONE
    behaviour: Behaviour | None = None  # what a model's name says; None: the fault alone
    failed_edits: list[str] = field(default_factory=list)
    conversation: list[ChatMessage] = field(default_factory=list)

    def ask(self, messages: list[ChatMessage], tools: tuple[str, ...]) -> Completion:
        return ask(messages, tools, self.behaviour or behaviour_of([self.fault])).completion

    def plan(self) -> Plan:
        request = {"message": self.message, "files": sorted(self.files), "schema": {}}
        talk = [ChatMessage(role=Role.USER, content=fenced("request", request))]
        for _ in range(4):
            said = self.ask(talk, ARCHITECT_TOOLS).message
            call = said.tool_calls[0]
            arguments = json.loads(call.arguments)
            if call.name == "submit_plan":
                return Plan.model_validate(arguments)
            text = self.files[arguments["path"]]
            answer = ChatMessage(role=Role.TOOL, content=text, tool_call_id=call.id)
            talk += [said, answer]
        raise AssertionError("the architect never submitted a plan")

    def start(self, plan: Plan, position: int = 1) -> None:
        planned = plan.tasks[position - 1]
        task = {
            **planned.model_dump(mode="json"),
            "design": plan.design,
            "contract": plan.contract.model_dump(mode="json"),
            "message": self.message,
            "position": position,
            "of": len(plan.tasks),
            "files": sorted(self.files),
        }
        self.conversation = [ChatMessage(role=Role.USER, content=fenced("task", task))]

    def work(self) -> list[str]:
        """Until it claims done; the paths it changed."""
        changed: list[str] = []
        for _ in range(20):
            said = self.ask(self.conversation, PRODUCER_TOOLS).message
            self.conversation.append(said)
            assert said.tool_calls, said.content
            for call in said.tool_calls:
                arguments = json.loads(call.arguments)
                result = self._tool(call.name, arguments)
                changed += [arguments["path"]] if "path" in arguments else []
                self.conversation.append(
                    ChatMessage(role=Role.TOOL, content=result, tool_call_id=call.id)
                )
            if said.tool_calls[-1].name == "claim_done":
                return changed
        raise AssertionError("the producer never claimed done")

    def tell(self, *findings: dict[str, object]) -> None:
        text = fenced("evidence", {"findings": list(findings)})
        self.conversation.append(ChatMessage(role=Role.USER, content=text))

    def run(self) -> Plan:
        plan = self.plan()
        for position in range(1, len(plan.tasks) + 1):
            self.start(plan, position)
            self.work()
        return plan

    def _tool(self, name: str, arguments: dict[str, str]) -> str:
        path = arguments.get("path", "")
        if name == "write_file":
            self.files[path] = arguments["content"]
        elif name == "delete_file":
            del self.files[path]
        elif name == "edit_file":
            if self.files.get(path, "").count(arguments["old"]) != 1:
                self.failed_edits.append(path)
                return "error: the old text does not occur exactly once"
            self.files[path] = self.files[path].replace(arguments["old"], arguments["new"])
        return "ok"
