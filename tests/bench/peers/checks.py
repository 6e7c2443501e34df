"""The six deterministic checks of the workload, as plain functions over a recorded tau-bench session.

Drivers of peers use them where the peer has no check of its own: what is measured is then the peer's way of calling,
collecting and reporting them.
"""
import json
import pathlib
import re
import sys

from jsonschema import Draft202012Validator

BENCH = pathlib.Path(__file__).resolve().parent


class Checks:
    """The checks, compiled once. `shared` is the folder with checks.json and tool-schemas.json."""

    def __init__(self, shared):
        shared = pathlib.Path(shared)
        spec = json.loads((shared / "checks.json").read_text(encoding="utf-8"))
        schemas = json.loads((shared / "tool-schemas.json").read_text(encoding="utf-8"))
        self.required = re.compile(spec["required_regex"])
        self.forbidden = spec["forbidden"]
        self.max_calls = spec["max_tool_calls"]
        self.schemas = {name: Draft202012Validator(schema) for name, schema in schemas.items()}

    def any_order(self, session):
        """Every expected call is found among the agent's calls, arguments equal; each call serves once."""
        left = calls(session)
        for expected in actions(session):
            if expected not in left:
                return False
            left.remove(expected)
        return True

    def in_order(self, session):
        """The names of the expected calls are a subsequence of the agent's."""
        names = iter(name for name, _ in calls(session))
        return all(name in names for name, _ in actions(session))

    def closing(self, session):
        """The last assistant message matches."""
        texts = replies(session)
        return bool(texts) and self.required.search(texts[-1]) is not None

    def forbidden_absent(self, session):
        """No assistant message contains a forbidden text."""
        return not any(text in reply for reply in replies(session) for text in self.forbidden)

    def arguments_valid(self, session):
        """The arguments of every call are valid against the schema of its tool."""
        return all(self.schemas[name].is_valid(args) for name, args in calls(session) if name in self.schemas)

    def few_calls(self, session):
        """There are at most so many calls."""
        return len(calls(session)) <= self.max_calls

    def all(self):
        """Name and function of each."""
        return [
            ("any-order", self.any_order),
            ("in-order", self.in_order),
            ("closing", self.closing),
            ("forbidden", self.forbidden_absent),
            ("args", self.arguments_valid),
            ("few-calls", self.few_calls),
        ]


def calls(session):
    """The agent's calls: name and arguments."""
    return [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for message in session["traj"]
        if message["role"] == "assistant"
        for call in message.get("tool_calls") or []
    ]


def actions(session):
    """The expected calls."""
    return [(action["name"], action["kwargs"]) for action in session["info"]["task"]["actions"]]


def replies(session):
    """What the assistant said, where it said something."""
    return [m["content"] for m in session["traj"] if m["role"] == "assistant" and m.get("content")]


def say(**facts):
    """One JSON line for the script that measures: own times in seconds, and passes by check."""
    json.dump(facts, sys.stdout)
    sys.stdout.write("\n")
