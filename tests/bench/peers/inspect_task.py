"""Inspect AI over the workload, its best case: only the session's number travels, one scorer, a tuned log.

The model is Inspect's own mock and is never asked: the solver takes the recorded session. No JUnit is written.

usage: inspect_task.py SHARED_BENCH WORKLOAD.jsonl
"""
import json
import logging
import sys
import time

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Score, Target, mean, scorer
from inspect_ai.solver import Generate, TaskState, solver

from checks import Checks, say

CHECKS = Checks(sys.argv[1])
SESSIONS = []


@solver
def recorded():
    """Answers with nothing: the scorer finds the session by its number."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        return state

    return solve


@scorer(metrics={"*": [mean()]})
def six():
    """All six checks in one scorer."""

    async def score(state: TaskState, target: Target) -> Score:
        session = SESSIONS[int(state.sample_id)]
        return Score(value={name: int(check(session)) for name, check in CHECKS.all()})

    return score


def main():
    began = time.perf_counter()
    with open(sys.argv[2], encoding="utf-8") as lines:
        SESSIONS.extend(json.loads(line) for line in lines)
    loaded = time.perf_counter()
    samples = [Sample(id=i, input=str(i)) for i in range(len(SESSIONS))]
    logs = eval(
        Task(dataset=MemoryDataset(samples), solver=recorded(), scorer=six()),
        model="mockllm/model",
        display="none",
        log_level="error",
        log_samples=True,
        log_realtime=False,
        log_buffer=1000,
        max_samples=200,
        log_dir="logs",
    )
    log = logs[0]
    if log.status != "success":
        sys.exit(f"the run ended as {log.status}: {log.error}")
    scores = {s.name: s.metrics["mean"].value * len(SESSIONS) for s in log.results.scores}
    passes = {name: round(value) for name, value in scores.items()}
    say(load=loaded - began, own=time.perf_counter() - loaded, passes=passes, cases=log.results.completed_samples)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main()
