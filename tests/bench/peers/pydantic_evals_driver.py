"""pydantic-evals over the workload: one dataset, one case a session, an evaluator per check. No JUnit is written.

usage: pydantic_evals_driver.py SHARED_BENCH WORKLOAD.jsonl
"""
import collections
import json
import sys
import time
from dataclasses import dataclass

from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import Evaluator, EvaluatorContext

from checks import Checks, say

BY_NAME = dict(Checks(sys.argv[1]).all())


@dataclass
class Check(Evaluator):
    """One of the six checks."""

    name: str

    def evaluate(self, ctx: EvaluatorContext) -> dict:
        return {self.name: BY_NAME[self.name](ctx.output)}


def main():
    began = time.perf_counter()
    with open(sys.argv[2], encoding="utf-8") as lines:
        sessions = [json.loads(line) for line in lines]
    loaded = time.perf_counter()
    cases = [Case(name=str(i), inputs=i) for i in range(len(sessions))]
    dataset = Dataset(name="workload", cases=cases, evaluators=[Check(name) for name in BY_NAME])
    report = dataset.evaluate_sync(lambda i: sessions[i], progress=False)
    passes = collections.Counter()
    out = [
        {"case": case.name, "checks": {name: result.value for name, result in case.assertions.items()}}
        for case in report.cases
    ]
    for case in out:
        passes.update(name for name, passed in case["checks"].items() if passed)
    with open("results.json", "w", encoding="utf-8") as file:
        json.dump(out, file)
    say(load=loaded - began, own=time.perf_counter() - loaded, passes=passes, cases=len(out))


if __name__ == "__main__":
    main()
