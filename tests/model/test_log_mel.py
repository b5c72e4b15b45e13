from __future__ import annotations

import builtins
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cedtag.errors import ModelError
from cedtag.model import log_mel
from cedtag.model.front_end import FrontEnd
from cedtag.model.log_mel import LogMel, mel_filters
from tests.micro import assert_same_log_mel, clips, golden, reference_filters

LOG_MEL = LogMel(FrontEnd())


def decibels(*names: str) -> np.ndarray:
    return LOG_MEL(torch.from_numpy(np.stack([clips()[name] for name in names]))).numpy()


@pytest.mark.parametrize("name", clips())
def test_spectrograms_equal_the_reference(name, monkeypatch):
    _, window = mel_filters(FrontEnd())
    monkeypatch.setattr(log_mel, "mel_filters", lambda _: (torch.from_numpy(reference_filters()), window))
    (found,) = LogMel(FrontEnd())(torch.from_numpy(clips()[name])[None]).numpy()
    expected = golden()[name]["features"]
    assert_same_log_mel(found if found.shape == expected.shape else found[:, ::10], expected)
    assert found.shape == (64, len(clips()[name]) // 160 + 1)


def test_mel_filters_equal_those_of_the_reference():
    filters, _ = mel_filters(FrontEnd())
    np.testing.assert_allclose(filters.numpy(), reference_filters(), rtol=0, atol=2e-5)


def test_neighbours_in_a_batch_change_nothing():
    names = [name for name, clip in clips().items() if len(clip) == 160_000]
    for found, name in zip(decibels(*names), names, strict=True):
        assert_same_log_mel(found, decibels(name)[0])


@settings(deadline=None, max_examples=25)
@given(
    hops=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    first=st.integers(0, 500),
    size=st.integers(2400, 9000),
    step=st.sampled_from([160, 160, 160, 100]),
    order=st.randoms(),
)
def test_overlapping_windows_equal_each_window_alone(hops, first, size, step, order):
    starts = [first + step * hop for hop in np.cumsum(hops).tolist()]
    order.shuffle(starts)
    seconds = torch.arange(60_000) / 16_000
    samples = torch.sin(2 * np.pi * (50 * seconds + 1000 * seconds**2)) * (seconds > 0.5)
    alone = torch.cat([LOG_MEL(samples[None, start : start + size]) for start in starts])
    assert_same_log_mel(LOG_MEL.windows(samples, starts, size).numpy(), alone.numpy())


def test_windows_at_any_hop_use_the_frames_they_share(monkeypatch):
    num_frames = []
    whole = LogMel._decibels

    def counted(self, padded):
        result = whole(self, padded)
        num_frames.append(result.shape[0] * result.shape[-1])
        return result

    monkeypatch.setattr(LogMel, "_decibels", counted)
    LOG_MEL.windows(torch.from_numpy(clips()["noise_10s"]), [0, 16_000, 32_000], 80_000)
    assert sum(num_frames) < 1.1 * (112_000 // 160)


def test_a_torchaudio_of_another_torch_is_an_error_that_mends_it(monkeypatch):
    plain_import = builtins.__import__

    def broken(name, *args, **kwargs):
        if name.startswith("torchaudio"):
            raise RuntimeError("Detected that PyTorch and TorchAudio were compiled with different CUDA versions.")
        return plain_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    both = rf"torchaudio 2[.\d]+ .* torch {re.escape(torch.__version__)}"
    with pytest.raises(ModelError, match=both + ".* -m pip install '?torch.* '?torchaudio"):
        LogMel(FrontEnd())
