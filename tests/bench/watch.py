#!/usr/bin/env python3
"""How long after a change `--watch` has run again, and what `--resume` saves.

usage: watch.py BINARY [SESSIONS]

BINARY is a release build of seatrial. First a suite of three checks over 20 sessions is watched: a recording, the suite
and the baseline are changed in turn, 20 times each, and the time from the end of the write to the line that says the run
has ended is taken. Then a run over SESSIONS sessions (10,000 unless given) is cut in the middle of its record and
continued; the medians of five, in wall and CPU time, are shown beside those of the whole run.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

SUITE = """[suite]
name = "s"
[recorded]
paths = ["sessions.jsonl"]
[[session]]
id = "good"
check = "contains"
value = "good"
[[session]]
id = "short"
check = "length"
max = 4000
[[session]]
id = "calls"
check = "calls"
tool = "*"
min = 0
max = 9
[gate]
pass_rate = { min = 0.0 }
"""
BASELINE = 'baseline = { run = "main", margin = 0.9, if_missing = "skip" }\n'


def sessions(count, take):
    def one(i):
        call = {"kind": "tool", "name": "f", "input": {"n": i}, "output": "x" * 400, "status": "ok"}
        turn = {"user": "q", "reply": f"good {take} " + "y" * 300, "spans": [call] * 4}
        return json.dumps({"id": f"c{i}", "turns": [turn] * 3})

    return "".join(one(i) + "\n" for i in range(count))


def watched(binary, root):
    (root / ".git").mkdir()
    write = lambda name, text: ((root / name).parent.mkdir(exist_ok=True), (root / name).write_text(text))
    write("sessions.jsonl", sessions(20, 0))
    write("suite.toml", SUITE)
    run = [binary, "run", "suite.toml", "--out"]
    quiet = {"cwd": root, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*run, "first"], check=True, **quiet)
    record = (root / "first/latest/run.jsonl").read_text()
    write("main/run.jsonl", record)
    write("suite.toml", SUITE + BASELINE)
    write("sessions.jsonl", sessions(20, 1))
    command = [*run, "reports", "--watch"]
    child = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def ended():
        for line in child.stderr:
            if "; watching " in line:
                return time.perf_counter()
        sys.exit("the watch ended")

    ended()
    changes = {
        "recording": lambda n: write("sessions.jsonl", sessions(20, n)),
        "suite": lambda n: write("suite.toml", SUITE + BASELINE + f"# {n}\n"),
        "baseline": lambda n: write("main/run.jsonl", record + "\n" * n),
    }
    for what, change in changes.items():
        took = []
        for n in range(20):
            time.sleep(0.15)
            change(2 + n)
            began = time.perf_counter()
            took.append((ended() - began) * 1000)
        print(f"watch, {what:>9} changed: median {statistics.median(took):6.1f} ms, most {max(took):6.1f} ms")
    child.terminate()
    child.wait()


def resumed(binary, root, count):
    (root / ".git").mkdir()
    (root / "suite.toml").write_text(SUITE)
    (root / "sessions.jsonl").write_text(sessions(count, 0))

    def run(*more):
        began = time.perf_counter()
        command = [binary, "run", "suite.toml", *more]
        child = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"{command}: exit code {os.waitstatus_to_exitcode(status)}")
        return (time.perf_counter() - began) * 1000, (usage.ru_utime + usage.ru_stime) * 1000

    def medians(runs):
        return " ms, ".join(f"{statistics.median(times):.0f}" for times in zip(*runs)) + " ms of CPU"

    whole = medians([run("--out", "whole") for _ in range(5)])
    record = (root / "whole/latest/run.jsonl").read_bytes()
    half = len(record) // 2
    took = []
    for n in range(5):
        cut = root / f"cut-{n}"
        cut.mkdir()
        (cut / "run.jsonl").write_bytes(record[:half])
        took.append(run(f"--resume={cut}"))
    print(f"resume, {count} sessions: whole {whole}; continued from half of the record {medians(took)}")


def main():
    binary = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        watched(binary, pathlib.Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        resumed(binary, pathlib.Path(folder), count)


if __name__ == "__main__":
    main()
