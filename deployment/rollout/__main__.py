"""`make rollout`: build the image, push it, show what will change and what it costs, and apply it by Terraform.

It reads the config that bentoctl reads and keeps the same files and state. Run again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from deployment.rollout.config import PLATFORMS, config_of, read_config
from deployment.rollout.errors import RolloutError
from deployment.rollout.steps import Rollout
from detection.errors import UserError
from local.processes import interrupt_on_signals
from serving.settings import model_asked_for


def main(arguments: list[str] | None = None) -> int:
    """Roll out or destroy a deployment; returns the exit status, 130 when a signal stops it."""
    parser = argparse.ArgumentParser(prog="make rollout", description=__doc__)
    parser.add_argument("platform", choices=PLATFORMS, help="platform (PLATFORM=)")
    parser.add_argument("--config", type=Path, help="its deployment_config.yaml, if it is not the one in deployment/")
    parser.add_argument("--model", default=model_asked_for(os.environ), help="tag of the model in the image (MODEL=)")
    parser.add_argument("--digest", help="roll out this image of the repository, sha256:..., instead of building one")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--plan", action="store_true", help="show what would change and stop")
    parser.add_argument("--destroy", action="store_true", help="destroy the deployment")
    parser.add_argument("--values-only", action="store_true", help="keep copies of *.tf files that you have changed")
    parser.add_argument("--without-cost", action="store_true", help="do not compute what it costs at rest")
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    try:
        config = read_config(options.config or config_of(options.platform), options.platform)
        with tempfile.TemporaryDirectory() as scratch:
            rollout = Rollout(
                config,
                Path(scratch),
                agreed=lambda question: _agreed(question, options.yes),
                values_only=options.values_only,
            )
            if options.destroy:
                rollout.destroy(only_plan=options.plan)
            else:
                rollout.apply(options.model, options.digest, with_cost=not options.without_cost, only_plan=options.plan)
    except UserError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped: run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def _agreed(question: str, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise RolloutError("nobody can be asked here: run it with ARGS=--yes after reading the plan")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
