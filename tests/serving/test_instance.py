"""Headers of a process, and request ids."""

from __future__ import annotations

import pytest

from detection.processor import Processor, read_processor
from serving.instance import Instance, request_id_from


def test_only_the_first_response_of_a_process_is_cold() -> None:
    instance = Instance()
    first, second = instance.headers("a"), instance.headers("b")
    assert (first["X-Cold-Start"], second["X-Cold-Start"]) == ("true", "false")
    assert first["X-Instance-Id"] == second["X-Instance-Id"] != Instance().id


@pytest.mark.parametrize("header", ["abc-123", "Root=1-5759e988-bd862e3fe1be46a994272793"])
def test_a_valid_request_id_is_echoed(header: str) -> None:
    assert request_id_from(header) == header


@pytest.mark.parametrize("header", [None, "", "a b", "x\r\nSet-Cookie: y", "a" * 129, "é"])
def test_any_other_request_id_is_replaced(header: str | None) -> None:
    assert request_id_from(header) != header
    assert len(request_id_from(header)) == 32


def test_a_restored_process_looks_at_its_processor_again() -> None:
    instance = Instance(processor=Processor("elsewhere", "AVX2"))
    instance.renew()
    assert instance.processor == read_processor()


def test_an_answer_names_the_processor_and_what_is_known_of_the_image() -> None:
    processor = Processor("Xeon", "AVX2")
    assert Instance(processor=processor).success_headers() == {"X-Instance-Cpu": "Xeon, AVX2"}
    assert Instance(version="v1", image_digest="sha256:0a", processor=processor).success_headers() == {
        "X-Instance-Cpu": "Xeon, AVX2",
        "X-Version": "v1",
        "X-Image-Digest": "sha256:0a",
    }
