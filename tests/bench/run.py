#!/usr/bin/env python3
"""Wall time, CPU time and peak memory of a run over the workload, beside parse-only, in one go.

usage: run.py SHARED WORK [N ...]

SHARED is the folder with bench/workload.py and its data; WORK is where the workload is made. Each row is the median of
five runs with a warm page cache: the whole process, record, JUnit and JSON included.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def measure(command, env, allowed):
    wall, cpu, memory = [], [], []
    for _ in range(5):
        began = time.perf_counter()
        child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall.append(time.perf_counter() - began)
        code = os.waitstatus_to_exitcode(status)
        if code not in allowed:
            sys.exit(f"{command}: exit code {code}")
        cpu.append(usage.ru_utime + usage.ru_stime)
        memory.append(usage.ru_maxrss / 1024)
    return statistics.median(wall), statistics.median(cpu), max(memory)


def main():
    shared, work = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    sizes = [int(n) for n in sys.argv[3:]] or [1_000, 10_000]
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "bench", "--bench", "parse_only", "--no-run", "--quiet"], cwd=ROOT, check=True)
    floors = (ROOT / "target/release/deps").glob("parse_only-*")
    floor = max((p for p in floors if not p.suffix), key=lambda p: p.stat().st_mtime)
    print(f"{'input':>14} {'MB':>7} | {'run s':>7} {'cpu s':>7} {'MB':>6} | {'parse s':>7} {'cpu s':>7} {'MB':>6} | ratio")
    for n in sizes:
        for suffix in ("json", "jsonl"):
            source = work / f"w{n}.{suffix}"
            if not source.exists():
                subprocess.run([sys.executable, shared / "bench/workload.py", work, str(n)], check=True)
            subprocess.run(["cat", source], stdout=subprocess.DEVNULL, check=True)
            env = dict(os.environ, WORKLOAD=str(source), TOOL_SCHEMAS=str(shared / "bench/tool-schemas.json"))
            run = [ROOT / "target/release/seatrial", "run", HERE / "workload.toml", "--out", work / "reports", "--json"]
            ran = measure(run, env, {1})
            parsed = measure([floor, source], env, {0})
            row = f"{source.name:>14} {source.stat().st_size / 1e6:7.1f}"
            for wall, cpu, memory in (ran, parsed):
                row += f" | {wall:7.3f} {cpu:7.3f} {memory:6.1f}"
            print(f"{row} | {ran[0] / parsed[0]:.2f}", flush=True)


if __name__ == "__main__":
    main()
