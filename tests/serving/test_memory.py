"""The peak memory of large pictures, measured in a separate process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local.checkout import ROOT

PEAKS = """
import io, threading
from PIL import Image
from serving.bounds import return_freed_memory
from serving.contract import Call, PredictRequest
from serving.predictor import Predictor
from detection.detector import Detector
from tests.fakes import CARD, SETTINGS, FakeEngine, FakeStorage

buffer = io.BytesIO()
Image.new("RGBA", (4000, 4000), (9, 9, 9, 7)).save(buffer, "WEBP", lossless=True, method=0)
settings = SETTINGS.model_copy(update={"max_image_pixels": 16_000_000})
ours = Predictor(settings, Detector(CARD, FakeEngine()), FakeStorage({"large.webp": buffer.getvalue()}))

def peak_mb():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024

def predict():
    ours.predict(Call(PredictRequest(filename="large.webp")))

return_freed_memory()
ours.warm_up()
open("/proc/self/clear_refs", "w").write("5")  # Reset the peak.
before = peak_mb()
predict()
one = peak_mb() - before
threads = [threading.Thread(target=predict) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(one, peak_mb() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak memory is read from Linux's /proc")
def test_six_simultaneous_large_pictures_need_the_memory_of_one() -> None:
    done = subprocess.run([sys.executable, "-c", PEAKS], cwd=ROOT, capture_output=True, text=True, check=True)
    one, six = map(int, done.stdout.split())
    assert one <= 500  # 16 megapixels of the format that needs most memory, transparent WebP.
    assert six <= 1.2 * one + 50
