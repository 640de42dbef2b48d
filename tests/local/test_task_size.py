from __future__ import annotations

import re

from local.checkout import ROOT
from local.doors import TASK_CPUS, TASK_MEMORY_MB


def test_a_local_container_has_the_size_of_a_task_on_ec2() -> None:
    text = (ROOT / "deployment" / "terraform" / "ecs" / "main.tf").read_text()
    (cpu,) = re.findall(r"^  cpu .* \? (\d+) / local\.threads_per_core : \d+\)", text, re.M)
    (threads,) = re.findall(r"^  threads_per_core = .* \? 1 : (\d+)\)", text, re.M)
    (memory,) = re.findall(r"^  memory .* \? (\d+) : \d+\)", text, re.M)
    assert (int(cpu) / int(threads) / 1024, int(memory)) == (TASK_CPUS, TASK_MEMORY_MB)
