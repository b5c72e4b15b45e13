import builtins
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cedtag.errors import InputError, ModelError
from cedtag.model.features import CedFeatureExtractor
from cedtag.model.log_mel import LogMel
from tests.micro import CHECKPOINT, clips, golden

EXTRACTOR = CedFeatureExtractor()
NOISE = clips()["noise_10s"]


def decibels(audio, **options):
    return EXTRACTOR(audio, return_tensors="np", **options)["input_values"]


@pytest.mark.parametrize("name", clips())
def test_features_equal_the_reference(name):
    features = decibels(clips()[name])[0]
    expected = golden()[name]["features"]
    thinned = features if features.shape == expected.shape else features[:, ::10]
    np.testing.assert_allclose(thinned, expected, rtol=0, atol=1e-3)
    assert features.shape == (64, len(clips()[name]) // 160 + 1)


def test_neighbours_in_a_batch_change_nothing():
    names = [name for name, clip in clips().items() if len(clip) == 160_000]
    batch = decibels([clips()[name] for name in names])
    for features, name in zip(batch, names, strict=True):
        np.testing.assert_allclose(features, decibels(clips()[name])[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "audio",
    [
        NOISE,
        NOISE[None],
        NOISE[::-1][::-1],
        NOISE.astype(">f4"),
        NOISE.astype(np.float64),
        np.broadcast_to(NOISE, (1, 160_000)),
        [NOISE],
        (NOISE,),
        torch.from_numpy(NOISE),
        torch.from_numpy(NOISE)[None],
        [torch.from_numpy(NOISE).double().requires_grad_()],
    ],
)
def test_every_kind_of_audio_gives_the_same_features(audio):
    features = EXTRACTOR(audio)["input_values"]
    assert features.dtype == torch.float32
    assert not features.requires_grad
    assert torch.equal(features, EXTRACTOR(NOISE, return_tensors="pt")["input_values"])


def test_a_reversed_array_is_heard_backwards():
    assert np.array_equal(decibels(NOISE[::-1]), decibels(np.ascontiguousarray(NOISE[::-1])))


def test_lists_are_padded_with_silence_to_the_longest_or_to_max_length():
    long, short = NOISE[:8000], NOISE[:5000]
    assert np.array_equal(decibels([long, short]), decibels([long, np.pad(short, (0, 3000))]))
    assert np.array_equal(decibels([short], max_length=8000), decibels(np.pad(short, (0, 3000))))


def test_clips_are_cut_only_when_truncation_says_so():
    assert np.array_equal(decibels(NOISE, max_length=8000, truncation=True), decibels(NOISE[:8000]))
    with pytest.raises(InputError, match="160000 samples is longer than max_length 8000"):
        decibels(NOISE, max_length=8000)


@pytest.mark.parametrize("num_samples", [1, 2, 160, 255, 256, 257, 2399, 2400])
def test_a_clip_shorter_than_a_patch_is_padded_with_silence_to_one(num_samples):
    clip = NOISE[:num_samples]
    features = decibels(clip)
    assert features.shape == (1, 64, 16)
    assert np.array_equal(features, decibels(np.pad(clip, (0, 2400 - num_samples))))


@pytest.mark.parametrize(
    ("audio", "options", "message"),
    [
        (NOISE, {"sampling_rate": 44_100}, r"44100 Hz.*soxr\.resample\(audio, 44100, 16000\)"),
        (NOISE, {"return_tensors": "tf"}, "return_tensors is 'tf'"),
        (NOISE, {"truncation": True}, "max_length"),
        (NOISE, {"max_length": 0, "truncation": True}, "max_length is 0"),
        (np.zeros(9000, np.int16), {}, "int16, expected floating point"),
        (torch.zeros(9000, dtype=torch.int32), {}, r"torch\.int32, expected floating point"),
        (np.zeros(9000, complex), {}, "complex128"),
        (np.array(["a"]), {}, "expected floating point"),
        (np.full(9000, np.nan, np.float32), {}, "NaN or infinite"),
        (np.full(9000, 1e300), {}, "NaN or infinite"),
        (torch.full((9000,), torch.inf), {}, "NaN or infinite"),
        (np.zeros(0, np.float32), {}, "empty"),
        (np.zeros((2, 0), np.float32), {}, "empty"),
        ([], {}, "empty"),
        ([NOISE, NOISE[:0]], {}, "empty"),
        (np.zeros((9000, 2), np.float32), {}, r"\(samples, channels\)"),
        (np.zeros((1, 2, 9000), np.float32), {}, "3 dimensions"),
        (np.array(0.5), {}, "0 dimensions"),
        ([np.zeros((2, 9000), np.float32)], {}, "1-D clips"),
        ([0.0, 0.1], {}, "a float, expected"),
        ("speech.wav", {}, "a str, expected"),
    ],
)
def test_what_cannot_be_heard_is_an_error_that_says_what_to_do(audio, options, message):
    with pytest.raises(InputError, match=message):
        EXTRACTOR(audio, **options)


@settings(max_examples=25)
@given(
    hops=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    first=st.integers(0, 500),
    size=st.integers(2400, 9000),
    step=st.sampled_from([160, 160, 160, 100]),
    order=st.randoms(),
)
def test_features_of_overlapping_windows_equal_each_window_alone(hops, first, size, step, order):
    starts = [first + step * hop for hop in np.cumsum(hops).tolist()]
    order.shuffle(starts)
    seconds = torch.arange(60_000) / 16_000
    samples = torch.sin(2 * np.pi * (50 * seconds + 1000 * seconds**2)) * (seconds > 0.5)
    alone = torch.cat([EXTRACTOR.log_mel(samples[None, start : start + size]) for start in starts])
    torch.testing.assert_close(EXTRACTOR.log_mel.windows(samples, starts, size), alone, rtol=0, atol=1e-3)


def test_windows_at_any_hop_use_the_frames_they_share(monkeypatch):
    num_frames = []
    whole = LogMel._decibels

    def counted(self, padded):
        result = whole(self, padded)
        num_frames.append(result.shape[0] * result.shape[-1])
        return result

    monkeypatch.setattr(LogMel, "_decibels", counted)
    EXTRACTOR.log_mel.windows(torch.from_numpy(NOISE), [0, 16_000, 32_000], 80_000)
    assert sum(num_frames) < 1.1 * (112_000 // 160)


def test_the_hub_preprocessor_file_reads_and_writes_back(tmp_path):
    extractor = CedFeatureExtractor.from_pretrained(CHECKPOINT)
    assert extractor.front_end == EXTRACTOR.front_end
    extractor.save_pretrained(tmp_path)
    saved = tmp_path / "preprocessor_config.json"
    assert CedFeatureExtractor.from_file(saved).front_end == extractor.front_end
    published = json.loads((CHECKPOINT / "preprocessor_config.json").read_text())
    written = json.loads(saved.read_text())
    assert written == {name: published[name] for name in written}


def test_without_a_preprocessor_file_the_config_says_how_to_hear(tmp_path):
    config = json.loads((CHECKPOINT / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"f_min": 50}))
    (tmp_path / "model.safetensors").touch()
    assert CedFeatureExtractor.from_pretrained(tmp_path).front_end.f_min == 50


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sampling_rate", 32_000),
        ("feature_size", 10**9),
        ("hop_size", 0),
        ("center", False),
        ("padding_value", 1.0),
        ("feature_extractor_type", "ASTFeatureExtractor"),
    ],
)
def test_a_front_end_that_is_not_ceds_is_refused_by_field(tmp_path, name, value):
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({name: value}))
    with pytest.raises(ModelError, match=rf"{path.name}: ({name}|n_mels)"):
        CedFeatureExtractor.from_file(path)


def test_a_torchaudio_of_another_torch_is_an_error_that_mends_it(monkeypatch):
    plain_import = builtins.__import__

    def broken(name, *args, **kwargs):
        if name.startswith("torchaudio"):
            raise RuntimeError("Detected that PyTorch and TorchAudio were compiled with different CUDA versions.")
        return plain_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    both = rf"torchaudio 2[.\d]+ .* torch {re.escape(torch.__version__)}"
    with pytest.raises(ModelError, match=both + '.* pip install "torch>=2.11,<2.15" "torchaudio>=2.11,<2.12"'):
        CedFeatureExtractor()
