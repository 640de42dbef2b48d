"""The same plan by Taurus, which says whether a run met its criteria."""

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
    """bzt on the PATH, or the one that `make taurus` installs; raises JMeterError."""
    found = shutil.which("bzt") or (OWN if OWN.is_file() else None)
    if not found:
        raise JMeterError("no Taurus here: make taurus installs one, or put your own bzt on the PATH")
    return Path(found).absolute()


def run_taurus(job: Job, results: Path, criteria: Path = CRITERIA) -> int:
    """Run a profile by Taurus into a folder of its own; returns bzt's exit status, 0 where all criteria hold.

    The folder has the samples in the form of every other run, and what Taurus wrote. Raises JMeterError without Taurus,
    TargetError when nothing listens, and KeyboardInterrupt once bzt has ended.
    """
    bzt, jmeter = find_bzt(), find_jmeter()
    environment = os.environ | {"JAVA_HOME": str(jmeter.java.resolve().parents[1])}
    with recorded(job, jmeter, results, f"{job.profile.name}-taurus") as folder:
        (folder / EXECUTION).write_text(yaml.safe_dump(execution(job, jmeter, folder), sort_keys=False))
        with private_properties({}, job.key) as keys:
            options = ["-o", f"modules.jmeter.cmdline=-q {PROPERTIES} -q {keys} -l {folder / SAMPLES}"]
            command = [bzt, *options, criteria.absolute(), folder / EXECUTION]
            # In a group of its own, so that Ctrl-C reaches it once, from here.
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
    """The configuration for Taurus: the plan with a profile's properties, against the target."""
    scenario = {"script": str(PLAN), "properties": {k: str(v) for k, v in plan_properties(job, folder).items()}}
    return {
        "execution": [{"executor": "jmeter", "scenario": job.profile.name}],
        "scenarios": {job.profile.name: scenario},
        "modules": {"jmeter": {"path": str(jmeter.home / "bin" / "jmeter")}},
        "settings": {"artifacts-dir": str(folder / ARTIFACTS)},
    }
