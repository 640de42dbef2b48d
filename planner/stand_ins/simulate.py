"""A run of a profile against a stand-in, simulated from runs of `single` and what is known of the machine."""

from __future__ import annotations

import dataclasses

import numpy as np

from loadtest.platforms.aws_lambda import LambdaSettings
from loadtest.platforms.registry import PLATFORMS
from loadtest.profiles import Profile
from loadtest.run.matrix import IDLE_S
from local.aws_lambda.sandbox import MB_PER_CPU
from planner.stand_ins.doors import Cores, Functions, Service
from planner.stand_ins.machine import Machine, Steps
from planner.stand_ins.singles import Request, Single
from planner.stand_ins.traffic import Client, Sample

# Pixels of each kind of picture, in those of `scenes`, which `single` sends; a test compares them with the pictures.
PIXELS = {"scenes": 1.0, "small": 0.25, "medium": 1.5625, "large": 9.765625}


def simulate(single: Single, profile: Profile, seed: int) -> list[Sample]:
    """The requests of one run in the order of their start; raises TrafficError if there are too many.

    Each request takes the times of a random request of `single`, all steps of the same one.
    """
    random, machine, cores = np.random.default_rng(seed), Machine(), Cores(single.cores)
    door = _door(single, profile, machine, cores, float(random.random()))

    def answer(number: int) -> Steps:
        pixels = PIXELS[profile.pictures[number % len(profile.pictures)]]
        first = single.firsts[random.integers(len(single.firsts))]

        def draw() -> Request:
            return scaled(single.others[random.integers(len(single.others))], pixels)

        return door.answer(scaled(first, pixels), draw)

    return Client(machine, profile, answer, cores.narrow(single.between_s)).run()


def _door(single: Single, profile: Profile, machine: Machine, cores: Cores, phase: float) -> Service | Functions:
    if PLATFORMS[single.record.platform].local_lambda is None:
        return Service(machine, cores)
    settings = single.record.settings
    assert isinstance(settings, LambdaSettings)
    # The matrix shortens the idle time as it shortens the minutes.
    idle_s = IDLE_S * profile.time_scale if profile.at_minutes else IDLE_S
    return Functions(machine, cores, settings.memory_mb / MB_PER_CPU, settings.concurrency, idle_s, phase)


def scaled(request: Request, pixels: float) -> Request:
    """The same request with a picture of so many times the pixels: decode and annotate work on all of them.

    The network's input has the same size. How fetch and store depend on a picture's bytes, `single` does not show.
    """
    return dataclasses.replace(request, decode=request.decode * pixels, annotate=request.annotate * pixels)
