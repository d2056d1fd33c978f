#!/usr/bin/env python3
"""Makes the pictures of a manifest on Dask workers that keep the model loaded.

    pip install 'dask[distributed]'
    batch_on_dask.py MANIFEST.jsonl DIR [--scheduler ADDRESS | --workers N] [-- OPTIONS OF lightswitch batch]

Every worker holds one `lightswitch batch --stdin` and sends it line after line. Results go to DIR/results-0-of-1.jsonl, so
`lightswitch verify DIR --manifest MANIFEST.jsonl` checks them as those of any other batch. Run it again to go on: what is
recorded as done is not asked for again.
"""

import argparse
import json
import os
import subprocess
import sys
import threading

from distributed import Client, LocalCluster, as_completed, get_worker

PROGRAM = os.environ.get("LIGHTSWITCH", "lightswitch")


def lightswitch(options):
    """The program of this thread of the worker, started when the first item comes or when the last one was killed."""
    programs = get_worker().__dict__.setdefault("lightswitch", {})
    program = programs.get(threading.get_ident())
    if program is None or program.poll() is not None:
        command = [PROGRAM, "batch", "--stdin", "-q", *options]
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        programs[threading.get_ident()] = program
    return program


def make(line, options):
    """Sends one line and waits for its answer; Dask tries again elsewhere when the program dies."""
    program = lightswitch(options)
    program.stdin.write(line + "\n")
    program.stdin.flush()
    answer = program.stdout.readline()
    if not answer.endswith("\n"):
        raise RuntimeError(f"lightswitch ended with {program.wait()} while it made {line}")
    return answer


def done_before(results):
    """Ids recorded as done; a line without an end is cut off, for its writer was killed."""
    if not os.path.exists(results):
        return set()
    with open(results, "rb+") as file:
        whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        file.truncate(len(whole))
    return {entry["id"] for entry in map(json.loads, whole.splitlines()) if entry["state"] == "done"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifest")
    parser.add_argument("folder")
    parser.add_argument("--scheduler", help="address of a running scheduler; without it, workers on this machine")
    parser.add_argument("--workers", type=int, default=2, help="without --scheduler: how many (default: 2)")
    words, for_batch = sys.argv[1:], []
    if "--" in words:
        words, for_batch = words[: words.index("--")], words[words.index("--") + 1 :]
    arguments = parser.parse_args(words)

    os.makedirs(arguments.folder, exist_ok=True)
    results = os.path.join(arguments.folder, "results-0-of-1.jsonl")
    done = done_before(results)
    items = {}
    with open(arguments.manifest, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                items[number] = line.strip()

    def is_done(line):
        try:
            return json.loads(line).get("id") in done
        except (ValueError, AttributeError):
            return False

    options = ["-o", os.path.abspath(arguments.folder), *for_batch]
    left = {number: line for number, line in items.items() if not is_done(line)}
    cluster = None if arguments.scheduler else LocalCluster(arguments.workers, threads_per_worker=1, dashboard_address=None)
    failed = 0
    with Client(arguments.scheduler or cluster) as client, open(results, "a", encoding="utf-8") as out:
        numbers = {client.submit(make, line, options, retries=3, pure=False): number for number, line in left.items()}
        for future in as_completed(numbers):
            if future.status == "finished":
                answer = json.loads(future.result())
                answer["line"] = numbers[future]  # the worker counted its own lines
            else:
                answer = {"id": None, "line": numbers[future], "state": "failed", "ms_denoise": 0, "ms_decode": 0}
                answer |= {"ms_encode_file": 0, "peak_bytes": 0, "error": str(future.exception()), "retry": True}
            failed += answer["state"] == "failed"
            out.write(json.dumps(answer) + "\n")
            out.flush()
    if cluster is not None:
        cluster.close()
    print(f"{len(left) - failed} done, {len(items) - len(left)} there already, {failed} failed", file=sys.stderr)
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
