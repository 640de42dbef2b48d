"""Runs by Taurus, which checks pass/fail criteria, with the same plan."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import yaml

from loadtest.errors import JMeterError
from loadtest.run.jmeter import PLAN, PROPERTIES, JMeter, find_jmeter
from loadtest.run.runner import Interrupted, Job, now_ms, plan_properties, private_properties, recorded
from loadtest.runs import SAMPLES
from local.checkout import ROOT

CRITERIA = ROOT / "loadtest" / "criteria" / "service-level.yml"
EXECUTION, ARTIFACTS = "execution.yml", "taurus"
OWN = ROOT / ".bzt" / "bin" / "bzt"
STOP_TIMEOUT_S = 60.0


def find_bzt() -> Path:
    """Find bzt on the PATH, or the one that `make taurus` installs; raises JMeterError."""
    found = shutil.which("bzt") or (OWN if OWN.is_file() else None)
    if not found:
        raise JMeterError("there is no Taurus: run make taurus to install one, or put your own bzt on the PATH")
    return Path(found).absolute()


def run_taurus(job: Job, results: Path, criteria: Path = CRITERIA) -> int:
    """Run a profile by Taurus into a new folder; returns bzt's exit status, 0 if all criteria hold.

    The folder has the files of every run, and those of Taurus. Raises JMeterError without Taurus, TargetError if the
    target cannot be reached, and KeyboardInterrupt after bzt has ended.
    """
    bzt, jmeter = find_bzt(), find_jmeter()
    environment = os.environ | {"JAVA_HOME": str(jmeter.java.resolve().parents[1])}
    with recorded(job, jmeter, results, f"{job.profile.name}-taurus") as folder:
        (folder / EXECUTION).write_text(yaml.safe_dump(execution(job, jmeter, folder), sort_keys=False))
        with private_properties({}, job.key) as keys:
            options = ["-o", f"modules.jmeter.cmdline=-q {PROPERTIES} -q {keys} -l {folder / SAMPLES}"]
            command = [bzt, *options, criteria.absolute(), folder / EXECUTION]
            # A process group of its own: Ctrl-C reaches it only through the signal below.
            process = subprocess.Popen([str(part) for part in command], env=environment, start_new_session=True)
            try:
                return process.wait()
            except KeyboardInterrupt:
                at_ms = now_ms()
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_TIMEOUT_S)
                raise Interrupted(at_ms) from None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def execution(job: Job, jmeter: JMeter, folder: Path) -> dict[str, object]:
    """The configuration of Taurus: the plan with a profile's properties, against the target."""
    scenario = {"script": str(PLAN), "properties": {k: str(v) for k, v in plan_properties(job, folder).items()}}
    return {
        "execution": [{"executor": "jmeter", "scenario": job.profile.name}],
        "scenarios": {job.profile.name: scenario},
        "modules": {"jmeter": {"path": str(jmeter.home / "bin" / "jmeter")}},
        "settings": {"artifacts-dir": str(folder / ARTIFACTS)},
    }
