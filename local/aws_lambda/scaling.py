"""Whether this machine can give a sandbox the CPUs that AWS gives."""

from __future__ import annotations

import os

from local.aws_lambda.cgroups import Cgroup
from local.aws_lambda.leftovers import name_of
from local.aws_lambda.sandbox import Function
from local.containers import CPUS


def cpu_scaling(function: Function) -> tuple[bool, str]:
    """Whether a function's requests get the CPUs that they would get on AWS, and why, in words."""
    if function.cpus >= CPUS:
        return False, f"CPU not scaled: AWS gives {function.cpus:.2f} CPUs, this machine has {CPUS}"
    if function.image:
        return True, f"CPU limited to {function.cpus:.2f} by the container engine, init included"
    probe = Cgroup.create(name_of(os.getpid(), "probe"), function.memory_mb * 2**20)
    if probe is None:
        return False, "CPU not scaled and memory only watched: no control groups can be used here"
    probe.remove()
    return True, f"CPU scaled to {function.cpus:.2f} after the init, as AWS does for {function.memory_mb} MB"
