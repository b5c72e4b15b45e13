import json

import numpy as np
import pytest
import torch

from cedtag.errors import InputError, ModelError
from cedtag.model.features import CedFeatureExtractor
from tests.micro import CHECKPOINT, clips

EXTRACTOR = CedFeatureExtractor()
NOISE = clips()["noise_10s"]


def decibels(audio, **options):
    return EXTRACTOR(audio, return_tensors="np", **options)["input_values"]


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


def test_clips_of_different_lengths_have_the_spectra_that_they_have_alone_and_a_mask():
    long, short = NOISE[:8000], NOISE[:5000]
    batch = CedFeatureExtractor()([long, short], return_tensors="np")
    assert np.array_equal(batch["input_values"][0], decibels(long)[0])
    assert np.array_equal(batch["input_values"][1, :, :32], decibels(short)[0])
    assert (batch["input_values"][1, :, 32:] == -100).all()
    assert batch["attention_mask"].tolist() == [[1] * 51, [1] * 32 + [0] * 19]
    padded = CedFeatureExtractor()(short, return_tensors="np", max_length=8000, padding="max_length")
    assert padded["attention_mask"].tolist() == [[1] * 32 + [0] * 19]
    assert CedFeatureExtractor()(short, return_tensors="np", max_length=8000).keys() == {"input_values"}


def test_a_list_of_floats_is_a_clip_and_a_list_of_those_a_batch():
    samples = NOISE[:4000].astype(float).tolist()
    assert np.array_equal(decibels(samples), decibels(NOISE[:4000]))
    assert np.array_equal(decibels([samples, samples]), decibels(np.stack([NOISE[:4000]] * 2)))


def test_features_are_attributes_and_move_as_one():
    inputs = CedFeatureExtractor()([NOISE[:8000], NOISE[:5000]])
    half = inputs.to("cpu", torch.float16)
    assert (half.input_values.dtype, half.attention_mask.dtype) == (torch.float16, torch.int64)
    assert inputs.to(torch.device("cpu")).input_values is inputs.input_values
    with pytest.raises(AttributeError, match="hold input_values, attention_mask, and no logits"):
        _ = inputs.logits
    assert CedFeatureExtractor().sampling_rate == 16_000


def test_without_return_tensors_every_clip_has_its_array():
    arrays = CedFeatureExtractor()([NOISE[:8000], NOISE[:5000]], return_tensors=None)["input_values"]
    assert [array.shape for array in arrays] == [(64, 51), (64, 32)]


def test_audio_of_unknown_rate_is_taken_with_a_warning(caplog):
    CedFeatureExtractor()(NOISE[:8000], sampling_rate=None)
    assert caplog.messages == ["no sampling_rate was given: the audio is taken to have 16000 Hz"]


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
        (np.array([*NOISE[:9000], 1e19], np.float32), {}, "beyond 4.29497e\\+09"),
        (torch.tensor([*NOISE[:9000], -3e38]), {}, "beyond"),
        (np.zeros(0, np.float32), {}, "empty"),
        (np.zeros((2, 0), np.float32), {}, "empty"),
        ([], {}, "empty"),
        ([NOISE, NOISE[:0]], {}, "empty"),
        (np.zeros((9000, 2), np.float32), {}, r"\(samples, channels\)"),
        (np.zeros((1, 2, 9000), np.float32), {}, "3 dimensions"),
        (np.array(0.5), {}, "0 dimensions"),
        ([np.zeros((2, 9000), np.float32)], {}, "1-D clips"),
        ([0, 1], {}, "a int, expected"),
        ([NOISE[:8000], NOISE[:5000]], {"padding": False}, "the clips have different lengths; pass padding=True"),
        (NOISE, {"padding": "max_length"}, "need max_length"),
        (NOISE, {"padding": "most"}, "padding is 'most', expected"),
        ("speech.wav", {}, "a str, expected"),
    ],
)
def test_what_cannot_be_heard_is_an_error_that_says_what_to_do(audio, options, message):
    with pytest.raises(InputError, match=message):
        EXTRACTOR(audio, **options)


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
