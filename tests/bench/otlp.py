#!/usr/bin/env python3
"""Telemetry: wall time, CPU time and peak memory of putting sessions together, beside parsing alone.

usage: otlp.py RECORDINGS WORK [MB ...]

RECORDINGS is a folder of recordings, each with traces.jsonl and truth.json; WORK is where the files are made. They hold
the recordings over and over, with fresh trace, span and session ids:

  recorded   the requests as they were recorded
  order      one span a request, in the recorded order
  scattered  the same requests, in random order over the whole file

each as JSON lines and as protobuf, every request with its length before it; `scattered` is gzip, too. Every number is the
median of five runs with a warm page cache; the commands of one file take turns, so that all of them meet the same machine.
All use two threads.

  parse      every request into the typed structs of opentelemetry-proto, and nothing else
  records    every request into seatrial's own records, which go nowhere
  run        a whole run of one check over every session: put together, judged, recorded, reported

`of parse` is the throughput beside that of `parse` on the same file: of a file of gzip on the same file, decompressed.
Below the table stand the ratios that have a bar, by wall time and, where a busy machine makes that a matter of luck, by
CPU time. Protobuf holds spans only, as the recordings' log records are few.
"""
import gzip
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNS = 5
BUCKETS = 64


def sources(folder):
    """Each recording's requests as text, and the pattern that splits them at their ids."""
    for traces in sorted(folder.glob("*/traces.jsonl")):
        # Not `splitlines`: a line of JSON may hold U+2028.
        lines = [line for line in traces.read_text().split("\n") if line]
        sessions = json.loads((traces.parent / "truth.json").read_text())["sessions"]
        names = "|".join(re.escape(s["session_id"]) for s in sessions)
        yield lines, re.compile(f'((?<=")(?:[0-9a-f]{{32}}|[0-9a-f]{{16}})(?=")|{names})')


def single(line):
    """A request as requests of one span each."""
    for resource in json.loads(line)["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                one = {**resource, "scopeSpans": [{**scope, "spans": [span]}]}
                yield json.dumps({"resourceSpans": [one]}, ensure_ascii=False, separators=(",", ":"))


def fresh(text, copy):
    """Another id in place of one: hex stays hex of its length, a name gets a suffix."""
    if re.fullmatch("[0-9a-f]{16}|[0-9a-f]{32}", text):
        return f"{int(text, 16) ^ (copy * 0x9E3779B97F4A7C15 % (1 << 60)):0{len(text)}x}"
    return f"{text}-{copy}"


def repeat(path, inputs, size):
    """Writes inputs over and over, with other ids each time."""
    split = [ids.split(line) for lines, ids in inputs for line in lines]
    ids = {part for parts in split for part in parts[1::2]}
    copy = 0
    with open(path, "w") as out:
        while out.tell() < size:
            copy += 1
            new = {text: fresh(text, copy) for text in ids}
            for parts in split:
                out.write("".join(new[p] if i % 2 else p for i, p in enumerate(parts)) + "\n")


def make(folder, work, mb):
    """Writes the files of about so many megabytes, unless they are there."""
    recorded, order, scattered = (work / f"{name}{mb}.jsonl" for name in ("recorded", "order", "scattered"))
    if scattered.exists():
        return
    texts = list(sources(folder))
    singles = [([s for line in lines for s in single(line)], ids) for lines, ids in texts]
    repeat(recorded, texts, mb * 1_000_000)
    repeat(order, singles, mb * 1_000_000)
    # A shuffle in two steps: into buckets by chance, then within each.
    rng = random.Random(1)
    buckets = [open(work / f"bucket{i}", "w+") for i in range(BUCKETS)]
    with open(order) as lines:
        for line in lines:
            rng.choice(buckets).write(line)
    with open(scattered, "w") as out:
        for bucket in buckets:
            bucket.seek(0)
            lines = bucket.readlines()
            rng.shuffle(lines)
            out.writelines(lines)
            bucket.close()
            os.unlink(bucket.name)


def once(command, allowed=(0,)):
    """Wall time, CPU time (seconds) and peak memory (MB) of a command."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in allowed:
        sys.exit(f"{command}: exit code {os.waitstatus_to_exitcode(status)}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(commands):
    """The median times and the largest memory of each command, all of them in turns."""
    taken = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            taken[name].append(once(command, (0, 1, 4)))
    return {
        name: (statistics.median(t[0] for t in runs), statistics.median(t[1] for t in runs), max(t[2] for t in runs))
        for name, runs in taken.items()
    }


def bars(found):
    """The ratios that have a bar: what they compare, by wall and by CPU time, and the bar."""
    def ratio(fast, slow, what, bar):
        if fast in found and slow in found:
            by = [found[fast][i] / found[slow][i] for i in (0, 1)]
            print(f"{what:>62} | {by[0]:5.2f} {by[1]:5.2f} | {bar}")

    print(f"\n{'':>62} | {'wall':>5} {'cpu':>5} | bar")
    for name in ("recorded", "order", "scattered"):
        text, wire = f"{name}.jsonl", f"{name}.pb"
        ratio((text, "parse"), (text, "records"), f"{name}: JSON to records, of its typed parse", ">= 0.5")
        ratio((text, "parse"), (text, "run"), f"{name}: whole run of JSON, of its typed parse", ">= 0.5")
        ratio((text, "records"), (wire, "records"), f"{name}: protobuf to records, times JSON", ">= 2")
        ratio((text, "run"), (wire, "run"), f"{name}: whole run of protobuf, times JSON", ">= 2")
    for kind in (".jsonl", ".pb", ".jsonl.gz"):
        inner = kind.removesuffix(".gz")
        what = f"whole run of scattered{kind}, of order{inner}"
        ratio((f"order{inner}", "run"), (f"scattered{kind}", "run"), what, ">= 0.33")
    most = max((memory for (_, command), (_, _, memory) in found.items() if command == "run"), default=0)
    print(f"{'peak memory of a run, MB':>62} | {most:5.0f} {'':>5} | < 500")


def main():
    folder, work = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "bench", "--bench", "parse_otlp", "--no-run", "--quiet"], cwd=ROOT, check=True)
    floors = (ROOT / "target/release/deps").glob("parse_otlp-*")
    floor = max((p for p in floors if not p.suffix), key=lambda p: p.stat().st_mtime)
    seatrial = ROOT / "target/release/seatrial"
    suite = work / "otlp.toml"
    suite.write_text('[suite]\nname = "otlp"\n[[session]]\nid = "turns"\ncheck = "turns"\nmax = 1000\n')
    for mb in [int(n) for n in sys.argv[3:]] or [200]:
        make(folder, work, mb)
        print(f"{'input':>24} {'MB':>6} {'command':>8} | {'s':>7} {'cpu s':>7} {'MB':>6} {'MB/s':>6} | of parse")
        found = {}
        for name in ("recorded", "order", "scattered"):
            text, wire = work / f"{name}{mb}.jsonl", work / f"{name}{mb}.pb"
            if not wire.exists():
                subprocess.run([floor, "protobuf", text, wire], check=True)
            files = [text, wire]
            if name == "scattered":
                files.append(work / f"{name}{mb}.jsonl.gz")
                if not files[-1].exists():
                    with open(text, "rb") as source, gzip.open(files[-1], "wb", compresslevel=1) as out:
                        shutil.copyfileobj(source, out, 1 << 20)
            for path in files:
                kind = name + path.name.removeprefix(f"{name}{mb}")
                subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True)
                size = (text if path.suffix == ".gz" else path).stat().st_size / 1e6
                commands = {
                    "parse": [floor, "parse", path, "2"],
                    "records": [floor, "records", path, "2"],
                    "run": [seatrial, "run", suite, "--sessions", path, "--out", work / "reports", "--jobs", "2"],
                }
                if path.suffix == ".gz":
                    # Decompressing is no part of the floor.
                    commands["parse"] = [floor, "parse", text, "2"]
                taken = measure(commands)
                for command, (wall, cpu, memory) in taken.items():
                    found[kind, command] = taken[command]
                    row = f"{path.name:>24} {size:6.0f} {command:>8} | {wall:7.3f} {cpu:7.3f} {memory:6.0f} {size / wall:6.0f}"
                    print(f"{row} | {taken['parse'][0] / wall:.2f}", flush=True)
        bars(found)


if __name__ == "__main__":
    main()
