from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain

import numpy as np
import pytest
import torch

from cedtag.checkpoints.locate import resolve
from cedtag.errors import InputError
from cedtag.model.config import CedConfig
from cedtag.model.front_end import FrontEnd
from cedtag.model.log_mel import LogMel
from cedtag.model.network import CedForAudioClassification
from cedtag.model.packed_block import PackedBlock
from cedtag.records import Source, Window
from cedtag.scoring import open_scorer, torch_device
from cedtag.scoring.torch_device import find_device, find_precision
from cedtag.scoring.torch_scorer import TorchScorer, default_batch_size
from cedtag.system.processor import Processor
from tests.micro import CHECKPOINT, assert_golden, clips
from tests.processors import AVX512_ALONE, OLD, XEON, skip_without_bf16

SOURCE = Source("a.wav", "a.wav", "a.wav")
CPU = torch.device("cpu")
SCORERS = ["torch fp32", "torch bf16", "onnx fp32", "onnx int8"]


@pytest.fixture(params=SCORERS)
def scorer(request):
    """Every scorer that runs on a CPU; what is tested with it is what a scorer promises."""
    return loaded(request.param)


@cache
def loaded(name, batch_size=4):
    backend, precision = name.split()
    if backend == "onnx":
        pytest.importorskip("onnxruntime")
    if precision == "bf16":
        skip_without_bf16()
    return open_scorer(resolve(str(CHECKPOINT)), backend, "cpu", precision, batch_size)


def window_of(samples, index=0, start=0, source=SOURCE):
    return Window(source, index, start, np.ascontiguousarray(samples, np.float32))


def windows_of(samples, size, hop):
    starts = range(0, len(samples) - size + 1, hop)
    return [window_of(samples[start : start + size], index, start) for index, start in enumerate(starts)]


def noise(num_samples, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(num_samples, np.float32)


def micro_scorer(device=CPU, precision="fp32", batch_size=4):
    model = CedForAudioClassification.from_pretrained(CHECKPOINT)
    return TorchScorer(model, LogMel(FrontEnd()), device, precision, batch_size)


@pytest.mark.parametrize("name", clips())
@pytest.mark.parametrize("scorer_name", ["torch fp32", "onnx fp32"])
def test_probabilities_equal_the_reference(scorer_name, name):
    assert_golden(name, loaded(scorer_name).score([window_of(clips()[name])])[0])


def test_scores_are_one_row_of_probabilities_for_every_window(scorer):
    scores = scorer.score([window_of(noise(16_000)), window_of(noise(400)), window_of(noise(16_000, 1))])
    assert scores.shape == (3, 527)
    assert scores.dtype == np.float32
    assert len(scorer.labels) == 527
    assert ((scores >= 0) & (scores <= 1)).all()


def test_what_else_is_scored_at_the_same_time_changes_no_bit(scorer):
    batches = [[window_of(noise(16_000, seed + i)) for i in range(4)] for seed in range(6)]
    with ThreadPoolExecutor(1, initializer=scorer.prepare_thread) as thread:
        alone = list(thread.map(scorer.score, batches))
    with ThreadPoolExecutor(3, initializer=scorer.prepare_thread) as threads:
        together = list(threads.map(scorer.score, batches * 3))
    assert all(np.array_equal(now, before) for now, before in zip(together, alone * 3, strict=True))


def test_windows_of_other_lengths_in_a_call_change_no_bit(scorer):
    window = window_of(noise(16_000))
    others = [window_of(noise(5000)), window_of(noise(30_000))]
    assert np.array_equal(scorer.score([others[0], window, others[1]])[1], scorer.score([window])[0])


@pytest.mark.parametrize("scorer_name", SCORERS)
def test_the_batch_size_moves_scores_by_less_than_a_hundred_thousandth(scorer_name):
    windows = [window_of(noise(16_000, i) * 10.0**-i, i, i * 16_000) for i in range(8)]
    together = loaded(scorer_name, 8).score(windows)
    alone = np.concatenate([loaded(scorer_name, 1).score([window]) for window in windows])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "hop"), [(32_000, 3200), (32_000, 4096), (32_000, 777), (5000, 160), (16_000, 15_999)]
)
def test_overlapping_windows_score_as_each_alone(scorer, size, hop):
    windows = windows_of(noise(80_000), size, hop)[:4]
    alone = np.concatenate([scorer.score([window]) for window in windows])
    # Features of a window differ by less than 1e-3 dB; in int8 that may turn a rounding.
    tolerance = 1e-5 if scorer.precision == "fp32" else 1e-3
    np.testing.assert_allclose(scorer.score(windows), alone, rtol=0, atol=tolerance)


def test_a_window_of_overlapping_ones_may_be_shorter(scorer):
    samples = noise(40_000)
    windows = [window_of(samples[:32_000]), window_of(samples[16_000:], 1, 16_000)]
    alone = np.concatenate([scorer.score([window]) for window in windows])
    np.testing.assert_allclose(scorer.score(windows), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("num_samples", [1, 159, 160, 255, 257, 2399, 2400, 161_760])
def test_windows_of_every_length_are_scored(scorer, num_samples):
    assert num_samples <= scorer.longest_window
    scores = scorer.score([window_of(noise(num_samples))])
    assert np.isfinite(scores).all()


def test_a_window_shorter_than_a_patch_scores_as_if_silence_followed(scorer):
    short = noise(1000)
    padded = np.pad(short, (0, 1400))
    assert np.array_equal(scorer.score([window_of(short)]), scorer.score([window_of(padded)]))


def test_silence_gives_numbers(scorer):
    assert np.isfinite(scorer.score([window_of(np.zeros(16_000))])).all()


def test_settings_name_what_changes_a_number():
    assert loaded("torch fp32").settings == {
        "backend": "torch",
        "device": "cpu",
        "precision": "fp32",
        "batch-size": 4,
    }
    assert loaded("onnx int8").settings == {"backend": "onnx", "device": "cpu", "precision": "int8"}


def test_int8_is_near_fp32(monkeypatch):
    windows = [window_of(clip) for clip in clips().values()]
    errors = np.abs(loaded("onnx int8").score(windows) - loaded("onnx fp32").score(windows))
    assert 0 < errors.max() < 0.02


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("cuda:99", "this machine or this torch has none"),
        ("cuda:x", "no such device"),
        ("cpu:1", "no such device"),
        ("gpu", "no such device"),
    ],
)
def test_a_device_that_is_not_there_is_an_error(wanted, message):
    with pytest.raises(InputError, match=f"`device` {wanted}: .*{message}"):
        find_device(wanted)


def test_the_best_device_is_chosen_unless_one_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("auto") == torch.device("cuda")
    assert find_device("cuda:1") == torch.device("cuda:1")
    assert find_device("cpu") == CPU


def test_precisions_are_those_of_the_device(monkeypatch):
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert [find_precision(wanted, gpu) for wanted in ("auto", "fp32", "fp16")] == ["bf16", "fp32", "fp16"]
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert find_precision("auto", gpu) == "fp16"
    with pytest.raises(InputError, match="bf16: this GPU cannot"):
        find_precision("bf16", gpu)
    assert find_precision("auto", CPU) == "fp32"
    with pytest.raises(InputError, match="fp16: torch computes in fp32 or bf16 on a CPU"):
        find_precision("fp16", CPU)
    for device in (CPU, gpu):
        with pytest.raises(InputError, match=r"int8.*--backend onnx"):
            find_precision("int8", device)


@pytest.mark.parametrize(
    ("processor", "torch_says", "has_bf16"),
    [
        (XEON, True, True),
        (XEON, False, False),  # a torch without oneDNN, or an older one
        (OLD, False, False),
        (AVX512_ALONE, True, False),  # torch would emulate it
        (Processor("unknown", None), True, False),
        (Processor("Neoverse", ("i8mm", "bf16")), True, True),
    ],
)
def test_bf16_is_for_processors_that_say_they_have_it(monkeypatch, processor, torch_says, has_bf16):
    monkeypatch.setattr(torch_device, "processor", lambda: processor)
    monkeypatch.setattr(torch_device, "_bf16_in_onednn", lambda: torch_says)
    assert find_precision("auto", CPU) == "fp32"
    if has_bf16:
        assert find_precision("bf16", CPU) == "bf16"
    else:
        with pytest.raises(InputError, match=rf"slower than fp32 .*\({processor.name}.*AVX512-BF16 or AMX"):
            find_precision("bf16", CPU)


@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_weights_are_packed_where_that_is_faster_and_scores_are_the_same(monkeypatch, capability):
    if not torch._C._has_mkldnn:
        pytest.skip("this torch has no oneDNN")
    usual = micro_scorer().score([window_of(noise(32_000))])
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    scorer = micro_scorer()
    assert isinstance(scorer._model.encoder.blocks[0], PackedBlock) == (capability == "AVX512")
    np.testing.assert_allclose(scorer.score([window_of(noise(32_000))]), usual, rtol=0, atol=1e-6)


def test_large_models_take_fewer_windows_in_a_call():
    tiny, base = CedConfig(), CedConfig(embed_dim=768, num_heads=12)
    assert [default_batch_size(config, CPU) for config in (tiny, base)] == [4, 1]
    assert default_batch_size(tiny, torch.device("cuda")) > 100


class NoEncoder(torch.nn.Identity):
    plain_config = CedConfig()
    blocks = torch.nn.Sequential()


class CrampedModel(torch.nn.Module):
    """Has memory for `room` windows; otherwise a model that gives each window's own mean."""

    def __init__(self, room):
        super().__init__()
        self.config, self.room, self.calls, self.encoder = CedConfig(), room, [], NoEncoder()

    def forward(self, features):
        self.calls.append(len(features))
        if len(features) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        means = features.mean((1, 2))[:, None].expand(-1, 527)
        return type("Output", (), {"probabilities": means})


def test_a_batch_that_does_not_fit_is_halved_and_that_is_said_once(caplog):
    model = CrampedModel(room=2)
    scorer = TorchScorer(model, LogMel(FrontEnd()), CPU, batch_size=8)
    windows = [window_of(noise(16_000, i), i, i * 16_000) for i in range(8)]
    roomy = TorchScorer(CrampedModel(8), LogMel(FrontEnd()), CPU, batch_size=8)
    np.testing.assert_allclose(scorer.score(windows), roomy.score(windows), rtol=1e-5)
    assert model.calls == [8, 4, 2, 2, 2, 2]
    assert scorer.batch_size == 2
    scorer.score(windows)
    assert [record.getMessage() for record in caplog.records] == [
        "the device is out of memory: the batch size is now 4",
        "the device is out of memory: the batch size is now 2",
    ]


def test_one_window_that_does_not_fit_is_an_error():
    scorer = TorchScorer(CrampedModel(0), LogMel(FrontEnd()), CPU, batch_size=2)
    with pytest.raises(torch.OutOfMemoryError):
        scorer.score([window_of(noise(16_000))])


def test_on_a_device_windows_of_several_recordings_share_a_batch():
    scorer = micro_scorer(batch_size=3)
    scorer.across_recordings = True  # as on a GPU
    other = Source("b.wav", "b.wav", "b.wav")
    windows = list(
        chain.from_iterable(
            (window_of(noise(16_000, i)), window_of(noise(16_000, 9 + i), 0, 0, other)) for i in range(3)
        )
    )
    alone = np.concatenate([micro_scorer().score([window]) for window in windows])
    np.testing.assert_allclose(scorer.score(windows), alone, rtol=0, atol=1e-5)


def test_half_precision_computes_in_autocast_and_gives_single():
    single, half = (micro_scorer(CPU, precision).score([window_of(noise(16_000))]) for precision in ("fp32", "fp16"))
    assert half.dtype == np.float32
    assert 0 < np.abs(half - single).max() < 0.05


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts what Linux does for glibc's allocator")
def test_memory_of_one_call_serves_the_next():
    code = """
import resource, threading
import numpy as np, torch
from cedtag.model.config import CedConfig
from cedtag.model.front_end import FrontEnd
from cedtag.model.log_mel import LogMel
from cedtag.model.network import CedForAudioClassification
from cedtag.model.packed_block import PackedBlock
from cedtag.records import Source, Window
from cedtag.scoring.torch_scorer import TorchScorer

scorer = TorchScorer(CedForAudioClassification(CedConfig(depth=1)), LogMel(FrontEnd()), torch.device("cpu"))
windows = [Window(Source("a", "a", "a"), i, i * 160_000, np.zeros(160_000, np.float32)) for i in range(4)]

def count():
    for _ in range(2):
        scorer.score(windows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        scorer.score(windows)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=count)
thread.start()
thread.join()
"""
    faults = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert int(faults) < 5000, "pages that the kernel gave again; by itself the allocator asks for some 14,000"


def test_embeddings_come_beside_scores_that_stay_the_same_to_the_bit(scorer):
    windows = [*windows_of(noise(90000), 32000, 16000), window_of(noise(5000), 9), window_of(noise(100), 10)]
    scores, embeddings = scorer.score_embedded(windows)
    assert (scores == scorer.score(windows)).all()
    assert embeddings.shape == (len(windows), scorer.embedding_size)
    assert embeddings.dtype == np.float32


@pytest.mark.parametrize("name", ["torch fp32", "onnx fp32"])
def test_embeddings_are_the_means_of_the_last_hidden_states(name):
    scorer, model = loaded(name), CedForAudioClassification.from_pretrained(CHECKPOINT).eval()
    windows = windows_of(noise(48_000), 32_000, 16_000)
    _, embeddings = scorer.score_embedded(windows)
    for window, embedding in zip(windows, embeddings, strict=True):
        with torch.inference_mode():
            hidden = model(LogMel(FrontEnd())(torch.from_numpy(window.samples)[None])).last_hidden_state
        np.testing.assert_allclose(embedding, hidden.mean(1)[0].numpy(), rtol=0, atol=2e-5)
