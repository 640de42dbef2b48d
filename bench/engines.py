"""The candidates: five ways to run the same network on the same picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import openvino as ov
import torch

from bench.old_design import load_checkpoint, to_tensor
from detection.card import NETWORK, ModelCard
from detection.openvino import OpenVINOEngine, compile_options
from detection.processor import read_processor
from detection.types import Floats, Picture
from model_store.convert import from_random, random_network
from model_store.export import to_openvino
from model_store.network.graph import Network

Candidate = Callable[[], list[Floats]]

OLD, TORCH, ONNX, OPENVINO, SERVED = (
    "(a) old design: checkpoint read per request, torch fp32",
    "(b) torch fp32, resident",
    "(c) ONNX Runtime fp32",
    "(d) OpenVINO fp32",
    "(e) this service",
)
UPLOADED = "(f) this service, picture uploaded and returned annotated"  # Whole requests only.


@dataclass(frozen=True)
class Subject:
    """A network with random weights in all its forms: torch module, checkpoint file and model folder."""

    variant: str
    network: Network
    card: ModelCard
    checkpoint: Path
    folder: Path


def make_subject(variant: str, folder: Path) -> Subject:
    """Make a random network and its files in a folder."""
    network = random_network(variant)
    model = folder / "model"
    model.mkdir(parents=True)
    card = from_random(variant, model)
    checkpoint = folder / "checkpoint.pt"
    torch.save(random_network(variant).half(), checkpoint)
    return Subject(variant, network, card, checkpoint, model)


def candidates(subject: Subject, picture: Picture) -> dict[str, Candidate]:
    """The five ways to run a letterboxed picture; each returns the logits, which are compared."""
    images = to_tensor(picture)
    resident = subject.network.fused()
    onnx_file = subject.folder.parent / "model.onnx"
    torch.onnx.export(resident, (images,), onnx_file, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    plain = ov.Core().compile_model(
        to_openvino(subject.network, picture_input=False),
        "CPU",
        {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"},
    )
    served = OpenVINOEngine(subject.folder)

    def by_torch(network: Network) -> list[Floats]:
        with torch.no_grad():
            return [m[0].numpy() for m in network(images)]

    def by_the_service() -> list[Floats]:
        with served.infer(picture) as maps:
            return list(maps)

    return {
        OLD: lambda: by_torch(load_checkpoint(subject.checkpoint)),
        TORCH: lambda: by_torch(resident),
        ONNX: lambda: [np.asarray(m[0]) for m in session.run(None, {name: images.numpy()})],
        OPENVINO: lambda: [np.asarray(m[0]) for m in plain([images.numpy()]).values()],
        SERVED: by_the_service,
    }


def served_precision(subject: Subject) -> str:
    """The precision that OpenVINO chooses for the served model on this machine: bf16, f16 or f32."""
    compiled = ov.Core().compile_model(subject.folder / NETWORK, "CPU", compile_options(read_processor()))
    return str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())


def largest_difference(outputs: dict[str, list[Floats]]) -> dict[str, float]:
    """The largest difference of each candidate's logits from torch's, which reveals wrong results."""
    reference = outputs[TORCH]
    return {
        name: max(float(np.abs(a - b).max()) for a, b in zip(maps, reference, strict=True))
        for name, maps in outputs.items()
    }
