from __future__ import annotations

import builtins
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cedtag.checkpoints.locate import resolve
from cedtag.errors import InputError, MissingPackageError, ModelError
from cedtag.model import log_mel
from cedtag.model.config import CedConfig
from cedtag.model.features import CedFeatureExtractor
from cedtag.model.front_end import FrontEnd
from cedtag.model.log_mel import mel_filters as torch_mel_filters
from cedtag.model.network import CedForAudioClassification
from cedtag.records import Source, Window
from cedtag.scoring import open_scorer
from cedtag.scoring.onnx_model import FEATURES, POWER, weight_shapes
from cedtag.scoring.onnx_proto import Graph
from cedtag.scoring.power_spectra import PowerSpectra, mel_filters
from tests.micro import CHECKPOINT, assert_same_log_mel, clips, micro_checkpoint, original_checkpoint

onnxruntime = pytest.importorskip("onnxruntime")

SOURCE = Source("a.wav", "a.wav", "a.wav")
NOISE = Window(SOURCE, 0, 0, clips()["noise_10s"])


def onnx_scorer(model=CHECKPOINT, precision="fp32"):
    return open_scorer(resolve(str(model)), "onnx", "cpu", precision)


def scores_of(model, precision="fp32"):
    return onnx_scorer(model, precision).score([NOISE])


@pytest.mark.parametrize(
    "front_end", [FrontEnd(), FrontEnd(f_min=50, f_max=7000, n_mels=80), FrontEnd(n_fft=1024, win_size=800, n_mels=40)]
)
def test_mel_filters_and_taper_equal_those_of_torch(front_end):
    filters, taper = torch_mel_filters(front_end)
    np.testing.assert_allclose(mel_filters(front_end), filters.numpy().T, rtol=0, atol=3e-5)
    left = (front_end.n_fft - front_end.win_size) // 2
    inside = PowerSpectra(front_end)._taper[left : left + front_end.win_size]
    np.testing.assert_allclose(inside, taper.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", clips())
def test_features_equal_those_of_torch_with_the_same_filters(name, monkeypatch):
    _, taper = torch_mel_filters(FrontEnd())
    monkeypatch.setattr(log_mel, "mel_filters", lambda of: (torch.from_numpy(mel_filters(of).T.copy()), taper))
    scorer = onnx_scorer()
    window = Window(SOURCE, 0, 0, clips()[name])
    (power,) = scorer._spectra([window])
    features = scorer._session.run([FEATURES], {POWER: power})[0].T
    expected = CedFeatureExtractor()(window.samples, return_tensors="np")["input_values"][0]
    assert features.shape == expected.shape
    assert_same_log_mel(features, expected)


def test_frames_that_windows_share_are_computed_once(monkeypatch):
    spectra = PowerSpectra(FrontEnd())
    samples = clips()["noise_10s"]
    windows = [Window(SOURCE, i, i * 16_000, samples[i * 16_000 :][:80_000]) for i in range(5)]
    alone = [next(spectra([window])) for window in windows]
    num_frames = []
    power_of = spectra._power
    monkeypatch.setattr(spectra, "_power", lambda frames: num_frames.append(len(frames)) or power_of(frames))
    assert all(np.array_equal(a, b) for a, b in zip(spectra(windows), alone, strict=True))
    assert sum(num_frames) < 501 + 4 * 110


@pytest.mark.parametrize("options", [{}, {"qkv_bias": False, "outputdim": 3, "mlp_ratio": 2.0, "depth": 1}])
def test_the_weights_that_are_needed_are_those_of_the_model(options):
    config = CedConfig(**options)
    state = CedForAudioClassification(config).state_dict()
    state.pop("encoder.init_bn.num_batches_tracked")
    assert weight_shapes(config) == {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize(
    "options",
    [
        {"embed_dim": 24, "num_heads": 2, "depth": 1, "qkv_bias": False, "outputdim": 5},
        {"embed_dim": 24, "num_heads": 3, "depth": 2, "n_mels": 40, "target_length": 230, "mlp_ratio": 2.5},
    ],
)
def test_every_architecture_scores_as_in_torch(tmp_path, options):
    torch.manual_seed(0)
    model = CedForAudioClassification(CedConfig(**options))
    for values in model.state_dict().values():
        if values.is_floating_point():
            values.copy_(torch.rand_like(values) * 0.3 + 0.05)
    model.save_pretrained(tmp_path)
    window = Window(SOURCE, 0, 0, clips()["noise_10s"][:32_000])
    expected = open_scorer(resolve(str(tmp_path)), "torch", "cpu").score([window])
    np.testing.assert_allclose(onnx_scorer(tmp_path).score([window]), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_types_are_read_by_torch(tmp_path, dtype):
    folder = micro_checkpoint(tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file({name: values.to(dtype) for name, values in weights.items()}, folder / "model.safetensors")
    np.testing.assert_allclose(scores_of(folder), scores_of(CHECKPOINT), rtol=0, atol=0.02)


def test_the_original_layout_is_read_by_torch(tmp_path):
    assert np.array_equal(scores_of(original_checkpoint(tmp_path)), scores_of(CHECKPOINT))


@pytest.mark.parametrize("damage", ["missing", "reshaped", "nan", "huge", "variance", "cut"])
def test_damaged_weights_are_refused_as_by_torch(tmp_path, damage):
    folder = micro_checkpoint(tmp_path)
    file = folder / "model.safetensors"
    weights = load_file(file)
    if damage == "missing":
        del weights["encoder.norm.weight"]
    elif damage == "reshaped":
        weights["encoder.norm.weight"] = torch.zeros(3)
    elif damage == "huge":
        weights["encoder.norm.weight"][0] = -1e20
    elif damage == "variance":
        weights["encoder.init_bn.running_var"][5] = -3
    elif damage == "nan":
        weights["encoder.norm.weight"][0] = torch.nan
    save_file(weights, file)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError) as by_onnx:
        onnx_scorer(folder)
    with pytest.raises(ModelError) as by_torch:
        open_scorer(resolve(str(folder)), "torch", "cpu")
    assert str(by_onnx.value) == str(by_torch.value)


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("cuda", "auto", "`device` cuda: ONNX Runtime and int8 are for CPUs"),
        ("cpu", "bf16", "`precision` bf16: ONNX Runtime"),
    ],
)
def test_what_onnx_runtime_does_not_do_here_is_an_error(device, precision, message):
    with pytest.raises(InputError, match=message):
        open_scorer(resolve(str(CHECKPOINT)), "onnx", device, precision)


@pytest.mark.parametrize("backend", ["torch", "onnx"])
@pytest.mark.parametrize(("field", "value"), [("hop_size", 320), ("f_min", 50), ("feature_size", 80)])
def test_files_that_contradict_each_other_are_refused_at_loading(tmp_path, backend, field, value):
    folder = micro_checkpoint(tmp_path)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(ModelError, match=rf"{field} is {value}|but {field} is {value}"):
        open_scorer(resolve(str(folder)), backend, "cpu")


def test_without_onnx_runtime_the_error_says_how_to_get_it(monkeypatch):
    plain_import = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "onnxruntime":
            raise ImportError
        return plain_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError, match=r"-m pip install '?onnxruntime"):
        onnx_scorer()


def test_int8_is_onnx_runtime_and_everything_else_torch():
    checkpoint = resolve(str(CHECKPOINT))
    precisions = {
        precision: open_scorer(checkpoint, "auto", "cpu", precision) for precision in ("auto", "fp32", "int8")
    }
    backends = {precision: scorer.settings["backend"] for precision, scorer in precisions.items()}
    assert backends == {"auto": "torch", "fp32": "torch", "int8": "onnx"}


def test_a_run_with_onnx_runtime_loads_no_torch(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", clips()["short_1s"], 16_000)
    code = (
        "import sys; from cedtag.cli import run; code = run(sys.argv[1:]); "
        "print({'torch', 'torchaudio'} & set(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    arguments = [str(tmp_path / "a.wav"), "-m", str(CHECKPOINT), "--backend", "onnx", "-f", "jsonl"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "set()\n")
    assert json.loads(done.stdout.splitlines()[0])


def test_a_model_file_is_what_the_onnx_format_says(tmp_path):
    graph = Graph()
    total = graph.node("Add", "a", graph.constant(np.array([1, -2.5], np.float32)))
    column = graph.node("Unsqueeze", total, graph.indices(-1))
    halves = graph.nodes("Split", total, num_outputs=2, axis=-1)
    leaky = graph.node("LeakyRelu", halves[1], alpha=0.5)
    turned = graph.node("Transpose", column, perm=(1, 0))
    session = onnxruntime.InferenceSession(
        graph.to_bytes({"a": 1}, {"first": halves[0], "second": leaky, "turned": turned})
    )
    values = session.run(None, {"a": np.array([3, 0.5], np.float32)})
    assert [value.tolist() for value in values] == [[4.0], [-1.0], [[4.0, -2.0]]]
