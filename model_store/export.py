"""Convert a torch network to the OpenVINO model that is served."""

from __future__ import annotations

import warnings
from pathlib import Path

import openvino as ov
import torch
from openvino.preprocess import ColorFormat, PrePostProcessor
from openvino.tools.ovc import convert_model

from detection.card import NETWORK
from model_store.network.graph import Network

PRECISIONS = ("fp32", "fp16")


def to_openvino(network: Network, *, picture_input: bool = True) -> ov.Model:
    """Convert a network, folded, with any height and width; its outputs are the logits, one map per scale.

    The input is (1, H, W, 3) uint8 BGR, as OpenCV decodes pictures, and the model itself converts it to (1, 3, H, W)
    RGB in 0..1; without `picture_input` the input is the latter. The model does not decode its logits: see
    `detection.postprocess`.
    """
    images = torch.zeros(1, 3, 2 * network.stride, 3 * network.stride)
    with warnings.catch_warnings():
        # torch.export gives the same operations and takes ten times as long.
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.trace", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="Encountering a list at the output")  # Its length is fixed.
        traced = torch.jit.trace(network.fused(), (images,), check_trace=False)  # type: ignore[no-untyped-call]
    model = convert_model(traced)
    model.reshape([1, 3, -1, -1])
    if picture_input:
        steps = PrePostProcessor(model)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().tensor().set_color_format(ColorFormat.BGR)
        steps.input().model().set_layout(ov.Layout("NCHW"))
        steps.input().preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
        model = steps.build()
    return model


def save(model: ov.Model, folder: Path, precision: str) -> None:
    """Write model.xml and model.bin into a folder; `precision`, one of PRECISIONS, is that of the stored weights."""
    if precision not in PRECISIONS:
        raise ValueError(f"no precision {precision!r}; known: {', '.join(PRECISIONS)}")
    # torch and OpenVINO number tensors and operations through the life of a process. With names of our own, the same
    # network always gives the same file.
    model.set_friendly_name("yolov7")
    for index, operation in enumerate(model.get_ordered_ops()):
        operation.set_friendly_name(f"{operation.get_type_name()}_{index}")
        for output in operation.outputs():
            output.get_tensor().set_names(set())
    ov.save_model(model, folder / NETWORK, compress_to_fp16=precision == "fp16")
