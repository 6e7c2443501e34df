"""agentevals in a plain loop over the workload: its trajectory matchers for two checks, plain functions for four.

It has no in-order mode, so the second check is any-order with arguments ignored. JUnit is written by this script.

usage: agentevals_driver.py SHARED_BENCH WORKLOAD.jsonl
"""
import collections
import json
import sys
import time
from xml.sax.saxutils import quoteattr

from agentevals.trajectory.match import create_trajectory_match_evaluator

from checks import Checks, actions, say

CHECKS = Checks(sys.argv[1])


def reference(session):
    """The expected calls, as the messages that it wants them to be."""
    return [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": name, "arguments": json.dumps(args)}}]}
        for name, args in actions(session)
    ]


def main():
    began = time.perf_counter()
    with open(sys.argv[2], encoding="utf-8") as lines:
        sessions = [json.loads(line) for line in lines]
    loaded = time.perf_counter()
    exact = create_trajectory_match_evaluator(trajectory_match_mode="superset", tool_args_match_mode="exact")
    names = create_trajectory_match_evaluator(trajectory_match_mode="superset", tool_args_match_mode="ignore")
    others = CHECKS.all()[2:]
    passes, out = collections.Counter(), []
    for i, session in enumerate(sessions):
        expected = reference(session)
        outputs = [
            {**m, "content": m.get("content") or ""} for m in session["traj"] if m["role"] in ("user", "assistant", "tool")
        ]
        checks = {
            "any-order": bool(exact(outputs=outputs, reference_outputs=expected)["score"]),
            "in-order": bool(names(outputs=outputs, reference_outputs=expected)["score"]),
        }
        checks.update((name, check(session)) for name, check in others)
        passes.update(name for name, passed in checks.items() if passed)
        out.append({"case": str(i), "checks": checks})
    with open("results.json", "w", encoding="utf-8") as file:
        json.dump(out, file)
    with open("junit.xml", "w", encoding="utf-8") as file:
        file.write('<testsuites><testsuite name="workload">\n')
        for case in out:
            for name, passed in case["checks"].items():
                body = "/>" if passed else "><failure/></testcase>"
                file.write(f'<testcase classname="workload" name={quoteattr(name + " " + case["case"])}{body}\n')
        file.write("</testsuite></testsuites>\n")
    say(load=loaded - began, own=time.perf_counter() - loaded, passes=passes, cases=len(out))


if __name__ == "__main__":
    main()
