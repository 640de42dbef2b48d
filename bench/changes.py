"""`python -m bench.changes COMMIT...`: the cold start of the Lambda function at some commits of this project.

Each commit is checked out into a folder of its own, and they take turns within each round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.__main__ import HERE, about
from bench.cold import columns, start
from bench.report import heading
from bench.requests import half_megabyte_picture, upload
from detection.card import read_card
from local.checkout import ROOT
from local.doors import BUCKETS, INPUT_BUCKET, OUTPUT_BUCKET
from local.s3 import local_s3
from model_store.benchmark.sampling import spread
from model_store.convert import from_random
from model_store.store import BUNDLED

HANDLER = "lambda_function.handler"


def main(arguments: list[str] | None = None) -> int:
    """Measure and write changes.json and changes.md; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.changes", description=__doc__)
    parser.add_argument("commits", nargs="+", help="commits, oldest first; the others are compared with it")
    parser.add_argument("--rounds", type=int, default=7, help="cold starts of each commit")
    parser.add_argument("--subjects", nargs="+", default=["yolov7-w6", "bundled"], help="models to measure")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of changes.json and changes.md")
    options = parser.parse_args(arguments)
    command = f"python -m bench.changes {' '.join(options.commits)}"
    result: dict[str, Any] = {"about": about(options.rounds) | {"command": command}, "subjects": {}}
    with tempfile.TemporaryDirectory() as name, checkouts(options.commits, Path(name)) as folders:
        result["commits"] = {commit: subject_of(commit) for commit in options.commits}
        with local_s3(Path(name) / "s3", INPUT_BUCKET, OUTPUT_BUCKET) as s3:
            upload(s3, half_megabyte_picture()[1])
            for subject in options.subjects:
                model = BUNDLED if subject == "bundled" else Path(name) / subject
                if subject != "bundled":
                    model.mkdir()
                    from_random(subject, model)
                env = s3.env | BUCKETS | {"MODEL_FOLDER": str(model)}
                result["subjects"][read_card(model).name] = measure(folders, env, options.rounds)
    (options.output / "changes.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "changes.md").write_text(to_markdown(result))
    print(to_markdown(result))
    return 0


@contextmanager
def checkouts(commits: Sequence[str], folder: Path) -> Iterator[dict[str, Path]]:
    """The folder of each commit, which is removed in the end."""
    folders = {commit: folder / commit for commit in commits}
    try:
        for commit, place in folders.items():
            subprocess.run(["git", "worktree", "add", "--quiet", "--detach", place, commit], cwd=ROOT, check=True)
            # As in the image, nothing is compiled at the start.
            subprocess.run([sys.executable, "-m", "compileall", "-q", place], check=True)
        yield folders
    finally:
        for place in folders.values():
            subprocess.run(["git", "worktree", "remove", "--force", place], cwd=ROOT, check=False)


def subject_of(commit: str) -> str:
    """The first line of a commit's message."""
    done = subprocess.run(
        ["git", "show", "--no-patch", "--format=%s", commit], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def measure(folders: Mapping[str, Path], env: Mapping[str, str], rounds: int) -> dict[str, Any]:
    """The cold starts of each commit; the first round does not count."""
    found: dict[str, list[dict[str, float]]] = {commit: [] for commit in folders}
    for number in range(rounds + 1):
        for commit, folder in folders.items():
            sys.stderr.write(f"\rround {number} of {rounds}: {commit:<40}")
            cold, _ = start(HANDLER, env, 0, folder)
            if number:
                found[commit].append(cold)
    sys.stderr.write("\r" + " " * 60 + "\r")
    return {commit: columns(samples) for commit, samples in found.items()}


def to_markdown(result: dict[str, Any]) -> str:
    """The page: a table per model, one row per commit."""
    lines = [
        "# What each change brought to the cold start",
        "",
        f"{heading(result['about'])}; the commits take turns. Each start is a new process under AWS's runtime "
        "interface emulator. The event is the request itself, as of a direct invocation; the picture has 0.5 MB.",
    ]
    for name, commits in result["subjects"].items():
        base = next(iter(commits.values()))["total"]["median_ms"]
        lines += [
            "",
            f"## {name}",
            "",
            "| commit | total, ms | change | init, ms | first detect, ms |",
            "|---|---|---|---|---|",
        ]
        for commit, parts in commits.items():
            total, change = parts["total"], parts["total"]["median_ms"] - base
            lines.append(
                f"| {commit}: {result['commits'][commit]} | {spread(total, 0)} | {change:+.0f} "
                f"| {spread(parts['init'], 0)} | {spread(parts['detect'], 0)} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
