"""`python -m model_store.training`: train the bundled model, or resume a stopped run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_store.training.batches import Plan
from model_store.training.train import STRIDE, Progress, Run


def main(arguments: list[str] | None = None) -> int:
    """Run the training; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model_store.training", description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=Path("runs/scenes"), help="folder of the run (default: runs/scenes)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="resume from state.pt in the folder of the run, with its plan"
    )
    parser.add_argument("--images", type=int, default=80_000, help="number of images of the run (default: 80000)")
    parser.add_argument("--batch", type=int, default=16, help="number of images of a batch (default: 16)")
    parser.add_argument(
        "--size", type=int, default=320, help="long side of the network's input, in pixels (default: 320)"
    )
    parser.add_argument(
        "--judge-every", type=int, default=8_000, metavar="IMAGES", help="images between judgements (default: 8000)"
    )
    parser.add_argument("--workers", type=int, default=1, help="number of processes that render (default: 1)")
    options = parser.parse_args(arguments)
    if options.resume and not (options.output / "state.pt").is_file():
        parser.error(f"nothing to resume: {options.output / 'state.pt'} is missing")
    if not options.resume and (options.output / "state.pt").exists():
        parser.error(f"{options.output} already holds a run: give --resume or another --output")
    plan = Plan(options.images, options.batch, options.size, STRIDE)
    run = Run.resume(options.output) if options.resume else Run(options.output, plan)
    try:
        run.train(
            workers=options.workers, save_every_s=120, judge_every=options.judge_every, report=Reporter(run.plan.images)
        )
    except KeyboardInterrupt:
        run.save()
        print(f"\nstopped; resume with --resume --output {options.output}")
        return 130
    run.export(options.output / "final.pt")
    print(f"\nwrote {options.output / 'final.pt'}")
    return 0


class Reporter:
    """Shows progress: one line that changes on a terminal, a line every 50 batches elsewhere."""

    def __init__(self, images: int) -> None:
        self._images = images

    def __call__(self, progress: Progress) -> None:
        if not sys.stdout.isatty() and progress.step % 50:
            return
        rate = progress.images / max(progress.seconds, 1e-9)
        left = (self._images - progress.images) / max(rate, 1e-9) / 60
        line = (
            f"{progress.images}/{self._images} images, {rate:.1f}/s, {left:.0f} min left, loss: box {progress.box:.3f} "
            f"objectness {progress.objectness:.3f} classes {progress.classes:.3f}, mAP@.5 {progress.map50:.3f} "
            f"mAP@.5:.95 {progress.map50_95:.3f}"
        )
        print(f"\r{line}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
