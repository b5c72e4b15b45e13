"""An archive of tiny recordings, and cedtag with a scorer that needs no torch, also as `python -m tests.archive`."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from cedtag.checkpoints.locate import Checkpoint
from cedtag.cli import main
from cedtag.labels.table import Label, audioset
from cedtag.scoring import LoadedModel
from cedtag.tagger import Tagger
from tests.micro import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.checkpoints.choice import ModelChoice
    from cedtag.cli.tag.run import LoadTagger
    from cedtag.records import Window
    from cedtag.scoring import Compute

ODD_NAMES = (
    b"tab\there",
    b"line\nbreak",
    b'quote"comma,',
    "emoji 🐦".encode(),
    b"caf\xe9",
    b"-dash",
    b"=cmd",
    b"[bold]",
)
DELAY = "TEST_DELAY_MS"  # no variable of cedtag, which warns of those that it does not know


@dataclass
class StubScorer:
    """Scores that depend on the samples of the window alone, and the names of what was scored."""

    delay_s: float = 0.0
    names: list[str] | deque[str] = field(default_factory=list)
    labels = tuple(Label(row.index, row.mid, row.name) for row in audioset()[:5])
    batch_size = 2
    across_recordings = False
    shortest_window = 2560
    longest_window = 161_760
    embedding_size = 3
    device = "cpu"
    precision = "fp32"
    settings = {"backend": "stub", "device": "cpu"}  # noqa: RUF012

    def prepare_thread(self) -> None:
        pass

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        time.sleep(self.delay_s)
        self.names.extend(window.source.name for window in windows)
        loudness = np.array([np.abs(window.samples).sum(dtype=np.float64) for window in windows])
        return np.modf(loudness[:, None] * [1.0, 3.0, 7.0, 11.0, 13.0])[0].astype(np.float32)

    def score_embedded(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scores = self.score(windows)
        return scores, 10 * scores[:, :3] - 5


def stub_tagger(scorer: StubScorer) -> LoadTagger:
    """A function that "loads" this scorer, whatever model is asked for."""

    def load(choice: ModelChoice, compute: Compute, **_: object) -> Tagger:
        checkpoint = Checkpoint(choice.model, None, None, CHECKPOINT / "model.safetensors", None)
        return Tagger(LoadedModel(checkpoint, scorer), compute)

    return load


def make_archive(folder: Path, num_recordings: int, seed: int = 0) -> Path:
    """Fill a folder with recordings of 0.1 to 0.9 s: most good, every ninth text, every eleventh cut off, odd names."""
    rng = np.random.default_rng(seed)
    for number in range(num_recordings):
        odd = os.fsdecode(ODD_NAMES[number % len(ODD_NAMES)]) if number % 5 == 3 else "rec"
        path = folder / f"disk {number % 3}" / f"{odd} {number:04d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_recording(path, rng)
        if number % 9 == 4:
            path.write_text("this is no audio\n")
        elif number % 11 == 6:
            path.write_bytes(path.read_bytes()[:-500])
    (folder / "a folder.wav").mkdir(exist_ok=True)
    return folder


def write_recording(path: Path, rng: np.random.Generator) -> None:
    samples = rng.integers(-3000, 3000, rng.integers(1600, 14_400), dtype=np.int16)
    with path.open("wb") as out:  # libsndfile takes no name that is not UTF-8
        soundfile.write(out, samples, 16_000, format="WAV")


if __name__ == "__main__":
    scorer = StubScorer(float(os.environ.get(DELAY, "0")) / 1000, deque(maxlen=1))
    main(stub_tagger(scorer))
