"""What cedtag is compared with: a loop as people write it around the public CED port, one window at a time.

`python -m benchmarks.plain_loop RECORDINGS CHECKPOINT THREADS` prints the seconds that passed and the processor
seconds, imports and the model left out. It is a process of its own, so that nothing that cedtag sets is set for it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram, Resample

from benchmarks.costs import cost_of
from cedtag.model.layers import Attention
from cedtag.model.network import CedForAudioClassification

if TYPE_CHECKING:
    from torch import Tensor


class PlainAttention(Attention):
    """Attention step by step, as the port computes it."""

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length, dim = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, length, 3, self.num_heads, -1)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)
        weights = (queries @ keys.transpose(-2, -1) * (dim // self.num_heads) ** -0.5).softmax(-1)
        return self.proj((weights @ values).transpose(1, 2).reshape(batch, length, dim))  # type: ignore[no-any-return]


@torch.no_grad()
def tag(recordings: Path, model: CedForAudioClassification) -> None:
    mel = MelSpectrogram(16_000, 512, hop_length=160, n_mels=64)
    decibels = AmplitudeToDB(top_db=120)
    for path in sorted(recordings.iterdir()):
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        mono = torch.from_numpy(np.ascontiguousarray(samples.mean(axis=1)))
        waveform = mono if rate_hz == 16_000 else Resample(rate_hz, 16_000)(mono)
        for window in waveform.split(160_000):
            if len(window) >= 2560:
                model(decibels(mel(window[None]))).probabilities.topk(5)


def main() -> None:
    recordings, checkpoint, num_threads = sys.argv[1:]
    torch.set_num_threads(int(num_threads))
    model = CedForAudioClassification.from_pretrained(checkpoint)
    for block in model.encoder.blocks:
        block.attn.__class__ = PlainAttention
    cost = cost_of(lambda: tag(Path(recordings), model))
    print(cost.wall_s, cost.cpu_s)  # noqa: T201


if __name__ == "__main__":
    main()
