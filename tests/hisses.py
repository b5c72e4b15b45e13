"""Recordings of two kinds of noise, a manifest of them with folds, and an architecture small enough to train."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

NUM_CLIPS = 12


def write_hisses(folder: Path) -> None:
    """Write `hisses/low` and `hisses/high` with six recordings each, `data.csv` with the folds 0 to 2, `small.json`."""
    rng = np.random.default_rng(0)
    lines = ["file,labels,fold"]
    for name, sign in (("low", 1), ("high", -1)):
        (folder / "hisses" / name).mkdir(parents=True)
        for take in range(NUM_CLIPS // 2):
            noise = 0.1 * rng.standard_normal(12_000)
            soundfile.write(folder / "hisses" / name / f"{take}.wav", noise[1:] + sign * noise[:-1], 16_000)
            lines.append(f"hisses/{name}/{take}.wav,{name},{take % 3}")
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {"model_type": "ced", "embed_dim": 24, "num_heads": 3, "depth": 1, "outputdim": 2, "drop_path_rate": 0.1}
    (folder / "small.json").write_text(json.dumps(config), encoding="utf-8")
