"""Batches hold every clip once, and memory does not grow with the number of clips."""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch

from cedtag.errors import OutputError
from cedtag.training.clip_file import ClipFile, clip_file
from cedtag.training.clips import Clips
from cedtag.training.feed import batches, num_batches
from cedtag.training.settings import Recipe
from tests.hisses import write_hisses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.random import Generator

RECIPE = Recipe(batch_size=4)


class Numbers:
    """The indices of clips as their features, and what chance gives as their targets."""

    def __init__(self, count: int, lengths: Sequence[int] = ()) -> None:
        self._count, self._lengths = count, lengths or [0] * count

    def __len__(self) -> int:
        return self._count

    def lengths(self) -> Any:
        return np.array(self._lengths)

    def sampling_weights(self) -> Any:
        return np.eye(self._count)[3]

    def batch(self, indices: Sequence[int], epoch: int, rng: Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor(indices), torch.from_numpy(rng.random(len(indices)))


def clips_of(recipe: Recipe, epoch: int, count: int = 10) -> list[list[int]]:
    return [features.tolist() for features, _ in batches(Numbers(count), recipe, epoch)]


def test_every_clip_is_in_one_batch_and_the_last_one_made_has_the_rest() -> None:
    sizes = sorted(len(batch) for batch in clips_of(RECIPE, 0))
    assert sizes == [2, 4, 4]
    assert num_batches(Numbers(10), RECIPE) == 3
    assert sorted(clip for batch in clips_of(RECIPE, 0) for clip in batch) == list(range(10))
    assert clips_of(replace(RECIPE, batch_size=64), 0, 3)[1:] == []


def test_epochs_have_orders_of_their_own_which_repeat() -> None:
    assert clips_of(RECIPE, 1) == clips_of(RECIPE, 1)
    assert clips_of(RECIPE, 1) != clips_of(RECIPE, 2)
    assert clips_of(RECIPE, 1) != clips_of(replace(RECIPE, seed=1), 1)


def test_every_batch_has_chance_of_its_own_which_repeats() -> None:
    first, again = ([chance.tolist() for _, chance in batches(Numbers(8), RECIPE, 0)] for _ in range(2))
    assert first == again
    assert first[0] != first[1]


def test_clips_are_sampled_by_their_weights_where_classes_are_balanced() -> None:
    assert sorted(clips_of(replace(RECIPE, balance=True), 0)) == [[3] * 2, [3] * 4, [3] * 4]


def test_a_batch_holds_clips_of_one_length() -> None:
    feed = Numbers(11, [10, 20] * 5 + [30])
    found = [features.tolist() for features, _ in batches(feed, RECIPE, 0)]
    assert sorted(len(batch) for batch in found) == [1, 1, 1, 4, 4]
    assert num_batches(feed, RECIPE) == len(found)
    assert all(len({feed.lengths()[clip] for clip in batch}) == 1 for batch in found)
    assert sorted(clip for batch in found for clip in batch) == list(range(11))


def test_clips_of_the_rarest_class_are_as_frequent_as_all_others_of_another() -> None:
    labels = torch.tensor([[True, False], [True, False], [True, True], [False, False]])
    weights = Clips([torch.zeros(64, 20)] * 4, labels).sampling_weights()
    np.testing.assert_allclose(weights, np.array([1 / 3, 1 / 3, 1, 1 / 4]) / (1 / 3 + 1 / 3 + 1 + 1 / 4))


def test_a_file_of_clips_gives_back_what_was_put_in_and_leaves_nothing(tmp_path: Path) -> None:
    arrays = [np.random.default_rng(size).random((3, size), np.float32).astype(np.float16) for size in (5, 1, 7)]
    with clip_file(tmp_path, np.float16) as file:
        places = [file.append(array) for array in arrays]
        for place, array in reversed(list(zip(places, arrays, strict=True))):
            np.testing.assert_array_equal(file.read(place), array)
            np.testing.assert_array_equal(file.read_part(place, 2), array[2])
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    class Full:
        def write(self, content: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    full: Any = Full()
    with pytest.raises(OutputError, match=r"cannot keep the decoded clips \(No space left on device\); free some"):
        ClipFile(full, tmp_path, np.float16).append(np.zeros(3))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_clips(tmp_path: Path) -> None:
    write_hisses(tmp_path)
    soundfile.write(tmp_path / "long.wav", 0.1 * np.random.default_rng(0).standard_normal(16_000 * 12), 16_000)
    for count in (10, 150):
        rows = [f"long.wav,{('low', 'high')[n % 2]},{n / 1000},{10 + n / 1000}" for n in range(count)]
        (tmp_path / f"{count}.csv").write_text("\n".join(["file,labels,start,end", *rows]), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True, cwd=tmp_path)
    few, many = (int(line) * (1 if sys.platform == "darwin" else 1024) for line in done.stdout.split())
    assert many < few + 40e6  # all features in float64, for the statistics of the mel bins, are 77 MB


MEASURED = """
import resource, cedtag.cli
for count in (10, 150):
    fast = "--from-config small.json --epochs 1 -b 10 --crop 0.3 0.3".split()
    assert cedtag.cli.run(["finetune", f"{count}.csv", "-o", f"of-{count}", *fast]) == 0
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
