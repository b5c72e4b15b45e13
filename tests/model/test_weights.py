import json
import os
import pickle
import stat
import struct
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from safetensors.torch import load_file, save_file

from cedtag.errors import ModelError
from cedtag.model.config import CedConfig
from cedtag.model.network import CedForAudioClassification
from cedtag.model.weights import inferred_config, load_weights, read_weights, save_weights
from tests.micro import CHECKPOINT, micro_checkpoint, original_checkpoint, original_state

HUB = CHECKPOINT / "model.safetensors"
CONFIG = CedConfig.from_file(CHECKPOINT / "config.json")


def saved(path, content):
    torch.save(content, path)
    return path


def loaded(tensors):
    model = CedForAudioClassification(CONFIG, initialise=False)
    load_weights(model, tensors, Path("here.pt"))
    return model.state_dict()


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_every_layout_holds_the_same_tensors(tmp_path):
    hub = load_file(HUB)
    encoder = {name.removeprefix("encoder."): tensor for name, tensor in hub.items()}
    assert same(read_weights(HUB), hub)
    assert same(read_weights(saved(tmp_path / "hub.bin", hub)), hub)
    assert same(read_weights(saved(tmp_path / "original.pt", original_state())), hub)
    assert same(read_weights(saved(tmp_path / "encoder.pt", encoder)), hub)


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_weights_may_lie_inside_a_training_checkpoint(tmp_path, wrapper):
    assert same(read_weights(saved(tmp_path / "x.pt", {wrapper: original_state(), "epoch": 3})), load_file(HUB))


def test_the_old_file_format_of_torch_is_read(tmp_path):
    torch.save(original_state(), tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    assert same(read_weights(tmp_path / "x.pt"), load_file(HUB))


class Attack:
    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return Path.touch, (self.proof,)


@pytest.mark.parametrize("new_format", [True, False])
def test_nothing_in_a_file_is_ever_executed(tmp_path, monkeypatch, new_format):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    content = {"weight": torch.zeros(1), "attack": Attack(tmp_path / "proof")}
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=new_format)
    with pytest.raises(ModelError, match=r"x\.pt: damaged, or more than plain weights") as caught:
        read_weights(tmp_path / "x.pt")
    assert not (tmp_path / "proof").exists()
    assert "weights_only" not in str(caught.value)
    assert caught.value.__suppress_context__


def header(text):
    return struct.pack("<Q", len(text)) + text


JUNK = {
    "empty": b"",
    "html": b"<!DOCTYPE html><html>Sign in</html>",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 22000000\n",
    "pickle": pickle.dumps({"a": [1, 2]}),
    "nul": bytes(4096),
    "huge-header": struct.pack("<Q", 2**62) + b"{}",
    "shape-lies": header(b'{"a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4]}}') + bytes(4),
    "nested": header(b'{"a":' * 20_000),
}


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".safetensors"])
@pytest.mark.parametrize("name", JUNK)
def test_a_file_that_is_no_checkpoint_is_one_sentence_with_its_path(tmp_path, suffix, name):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(JUNK[name])
    with pytest.raises(ModelError, match=rf"x{suffix}: .*(download|give)") as caught:
        read_weights(path)
    assert len(str(caught.value)) < 400
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, suffix, kept):
    whole = HUB if suffix == ".safetensors" else original_checkpoint(tmp_path / "whole")
    path = tmp_path / f"x{suffix}"
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * kept)])
    with pytest.raises(ModelError, match=f"x{suffix}"):
        read_weights(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_missing_file_is_named(tmp_path, suffix):
    with pytest.raises(ModelError, match=f"absent{suffix}: cannot be read"):
        read_weights(tmp_path / f"absent{suffix}")


@pytest.mark.parametrize("content", [[1, 2], {}, {"model": {}}, torch.zeros(3), "text"])
def test_a_file_without_weights_is_refused(tmp_path, content):
    with pytest.raises(ModelError, match="no dictionary of weights"):
        read_weights(saved(tmp_path / "x.pt", content))


@pytest.mark.parametrize(
    "odd",
    [torch.zeros(2, 2).to_sparse(), torch.zeros(2, device="meta"), [1.0], None],
    ids=["sparse", "meta", "list", "none"],
)
def test_what_is_no_plain_tensor_is_named(tmp_path, odd):
    with pytest.raises(ModelError, match=r"norm\.weight is no plain tensor"):
        read_weights(saved(tmp_path / "x.pt", {"norm.weight": odd}))


def test_too_many_tensors_are_refused_before_they_are_read(tmp_path):
    many = {str(index): torch.zeros(0) for index in range(5000)}
    save_file(many, tmp_path / "x.safetensors")
    for path in (tmp_path / "x.safetensors", saved(tmp_path / "x.pt", many)):
        with pytest.raises(ModelError, match="holds 5000 tensors"):
            read_weights(path)


def many_names(number):
    return [f"encoder.blocks.{index}.attn.qkv.weight" for index in range(number)]


def many_tensors(number):
    return {name: torch.zeros(1) for name in many_names(number)}


def many_views(number):
    return dict(zip(many_names(number), torch.zeros(number), strict=True))


def many_objects(number):
    return {"model": many_tensors(2), "rest": [{"lr": 0.1} for _ in range(number)]}


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("content", [many_tensors, many_views, many_objects])
def test_a_file_of_too_much_is_refused_before_torch_begins_with_it(tmp_path, monkeypatch, content, new_format):
    torch.save(content(60_000), tmp_path / "x.pt", _use_new_zipfile_serialization=new_format)
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("torch has begun"))
    with pytest.raises(
        ModelError, match=r"x\.pt: (holds \d+ records|describes too many tensors).*give a CED checkpoint"
    ):
        read_weights(tmp_path / "x.pt")


def test_a_file_of_packed_records_is_refused_before_torch_unpacks_it(tmp_path, monkeypatch):
    saved(tmp_path / "x.pt", {"weight": torch.zeros(10_000_000)})
    with ZipFile(tmp_path / "x.pt") as plain, ZipFile(tmp_path / "packed.pt", "w", ZIP_DEFLATED) as packed:
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("torch has begun"))
    with pytest.raises(ModelError, match=r"packed\.pt: holds packed records"):
        read_weights(tmp_path / "packed.pt")


def test_the_checkpoint_of_the_longest_training_is_read(tmp_path):
    state = original_state()
    moments = {index: {"exp_avg": torch.ones(4), "exp_avg_sq": torch.ones(4), "step": 3} for index in range(780)}
    content = {"model": state, "optimizer": {"state": moments}, "history": [0.5] * 10_000}
    assert same(read_weights(saved(tmp_path / "x.pt", content)), load_file(HUB))


def test_one_tensor_under_two_names_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds encoder\.norm\.weight twice"):
        read_weights(saved(tmp_path / "x.pt", original_state() | {"encoder.norm.weight": torch.ones(48)}))


BIAS = "encoder.norm.bias"
VARIANCE = "encoder.init_bn.running_var"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({BIAS: None}, r"\(missing: encoder\.norm\.bias\)"),
        (dict.fromkeys(sorted(load_file(HUB))[:10]), "missing: [^,]*, [^,]*, [^,]* and 7 more"),
        ({"classifier": torch.ones(3)}, r"\(unexpected: classifier\)"),
        ({BIAS: torch.ones(10)}, r"other shapes: encoder\.norm\.bias \(10,\) instead of \(48,\)"),
        ({BIAS: torch.ones(1).half().expand(10**12)}, r"encoder\.norm\.bias \(1000000000000,\) instead of"),
        ({BIAS: torch.ones(48, dtype=torch.int8)}, r"encoder\.norm\.bias has type torch\.int8"),
        ({BIAS: torch.ones(48, dtype=torch.complex64)}, r"encoder\.norm\.bias has type torch\.complex64"),
        ({BIAS: torch.arange(48).log()}, r"encoder\.norm\.bias holds NaN or infinite"),
        ({BIAS: (torch.arange(48) - 7.0).sqrt()}, r"encoder\.norm\.bias holds NaN or infinite"),
        ({VARIANCE: torch.linspace(-1, 5, 64)}, r"init_bn\.running_var holds -1, but no variance is negative"),
        ({VARIANCE: -torch.full((64,), 1e-30)}, r"init_bn\.running_var holds -1e-30, but no variance is negative"),
        ({BIAS: torch.linspace(-2e20, 1, 48)}, r"encoder\.norm\.bias holds 2e\+20, which no trained weight is"),
        ({BIAS: torch.full((48,), 3e38)}, r"encoder\.norm\.bias holds 3e\+38, which no trained weight is"),
        ({BIAS: torch.full((48,), 1e300, dtype=torch.float64)}, r"encoder\.norm\.bias holds NaN or infinite"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name_and_change_nothing(changes, message):
    weights = {name: tensor for name, tensor in (load_file(HUB) | changes).items() if tensor is not None}
    model = CedForAudioClassification(CONFIG)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ModelError, match=rf"^here\.pt: .*{message}"):
        load_weights(model, weights, Path("here.pt"))
    assert same(model.state_dict(), before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_become_float32(dtype):
    weights = {name: w.to(dtype) if w.is_floating_point() else w for name, w in load_file(HUB).items()}
    state = loaded(weights)
    expected = {name: w.float() if w.is_floating_point() else w for name, w in weights.items()}
    assert same(state, {name: expected[name] for name in state})


def test_the_step_counter_of_batch_norm_may_be_absent():
    weights = load_file(HUB)
    counter = weights.pop("encoder.init_bn.num_batches_tracked")
    assert loaded(weights)["encoder.init_bn.num_batches_tracked"] == counter


def test_loaded_weights_do_not_depend_on_the_file_any_more(tmp_path):
    path = micro_checkpoint(tmp_path) / "model.safetensors"
    state = loaded(read_weights(path))
    path.write_bytes(bytes(path.stat().st_size))
    assert same(state, {name: load_file(HUB)[name] for name in state})


def test_saving_replaces_a_file_whole_and_readable_by_all_who_may(tmp_path):
    path = tmp_path / "new" / "model.safetensors"
    mask = os.umask(0o022)
    try:
        save_weights(path, {"b": torch.ones(2, 3).T, "a": torch.zeros(2)})
    finally:
        os.umask(mask)
    assert same(load_file(path), {"a": torch.zeros(2), "b": torch.ones(3, 2)})
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def tiny_state(**changes):
    config = CedConfig(**{"depth": 2, "outputdim": 5, **changes})
    return config, CedForAudioClassification(config).state_dict()


@pytest.mark.parametrize(
    "changes", [{}, {"embed_dim": 256, "num_heads": 4}, {"qkv_bias": False}, {"target_length": 512}]
)
def test_the_config_of_bare_weights_is_read_from_their_shapes(changes):
    config, state = tiny_state(**changes)
    assert inferred_config(state, Path("x.pt")) == config


def test_bare_weights_of_an_unknown_size_need_a_config():
    with pytest.raises(ModelError, match=r"x\.pt: has 48 dimensions.* put its config\.json beside it"):
        inferred_config(load_file(HUB), Path("x.pt"))


def test_weights_of_something_else_are_no_ced():
    with pytest.raises(ModelError, match=r"x\.pt: holds no CED"):
        inferred_config({"encoder.conv1.weight": torch.zeros(3)}, Path("x.pt"))


def test_hostile_shapes_in_bare_weights_are_refused():
    _, state = tiny_state()
    state["outputlayer.1.weight"] = torch.ones(1).expand(10**9, 192)
    with pytest.raises(ModelError, match=r"x\.pt: outputdim is 1000000000"):
        inferred_config(state, Path("x.pt"))


def test_the_original_layout_loads_by_its_path_with_the_config_beside_it(tmp_path):
    path = original_checkpoint(tmp_path)
    model = CedForAudioClassification.from_pretrained(path)
    assert same(model.state_dict(), {name: load_file(HUB)[name] for name in model.state_dict()})
    (tmp_path / "config.json").write_text(json.dumps({"depth": 10**9}))
    with pytest.raises(ModelError, match=r"config\.json: depth is 1000000000"):
        CedForAudioClassification.from_pretrained(path)
