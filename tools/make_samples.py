"""Make the samples that the chart's test and the deployment's smoke test send to the services.

usage: python tools/make_samples.py FOLDER (needs espeak-ng and the development environment)

`speech.ogg`: six seconds of speech synthesis. `face.mp4`: two seconds of a portrait in the public domain (the
astronaut Eileen Collins, NASA). They exercise decoding, speech and face detection and the models; their scores mean
nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from testbed.faces import ASTRONAUT

TEXT = "This is the clinic calling about your appointment on Thursday. Please call us back before noon to confirm it."
SIDE = 256
RATE = 12


def make_speech(path: Path) -> None:
    """Write Opus, 16 kHz mono."""
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "speech.wav"
        subprocess.run(["espeak-ng", "-s", "150", "-w", str(wave), TEXT], check=True)  # noqa: S607
        with av.open(str(wave)) as source, av.open(str(path), "w") as target:
            stream = target.add_stream("libopus", rate=16000, layout="mono")
            stream.bit_rate = 24000
            resampler = av.AudioResampler(format="s16", layout="mono", rate=16000)
            for frame in source.decode(audio=0):
                for part in resampler.resample(frame):
                    target.mux(stream.encode(part))
            target.mux(stream.encode(None))


def make_face(path: Path) -> None:
    """Write H.264 of a head that drifts slowly."""
    head = ASTRONAUT.head(110)[:, :, :]
    margin = (head.shape[0] - SIDE) // 2
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=RATE, options={"crf": "26", "preset": "veryslow"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for number in range(2 * RATE):
            shift = margin + number // 2
            picture = np.ascontiguousarray(head[margin : margin + SIDE, shift : shift + SIDE])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    make_speech(out / "speech.ogg")
    make_face(out / "face.mp4")
