"""What users of transformers expect of a network, where it costs nothing."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from cedtag import CedConfig, CedFeatureExtractor, CedForAudioClassification, CedModel, InputError, ModelError, Tagger
from tests.micro import CHECKPOINT, clips, micro_checkpoint

MODEL = CedForAudioClassification.from_pretrained(CHECKPOINT)
NOISE = clips()["noise_10s"]


@torch.no_grad()
def logits_of(*waves):
    return MODEL(**CedFeatureExtractor()(list(waves))).logits


def test_every_clip_of_a_batch_has_the_result_that_it_has_alone():
    waves = [NOISE[:40_000], NOISE[5_000:], NOISE[:3_000], NOISE[:40_000] * 0.1]
    torch.testing.assert_close(logits_of(*waves), torch.cat([logits_of(wave) for wave in waves]), rtol=0, atol=1e-6)


def test_the_tokens_behind_a_clip_are_zero():
    inputs = CedFeatureExtractor()([NOISE[:16_000], NOISE[:8_000]])
    hidden = MODEL.encoder(**inputs).unflatten(1, (4, 6))
    torch.testing.assert_close(hidden[1:, :, :3].flatten(1, 2), MODEL.encoder(**CedFeatureExtractor()(NOISE[:8_000])))
    assert hidden[1, :, 3:].count_nonzero() == 0


@pytest.mark.parametrize("mask", [torch.ones(1, 100), torch.tensor([[0, 1] + [1] * 99]), torch.ones(2, 101)])
def test_a_mask_that_fits_no_clip_is_refused(mask):
    with pytest.raises(InputError, match=r"attention_mask has shape .*expected \(1, 101\)"):
        MODEL(torch.zeros(1, 64, 101), attention_mask=mask)


def test_a_network_knows_its_device_type_and_size():
    assert (MODEL.device, MODEL.dtype) == (torch.device("cpu"), torch.float32)
    assert MODEL.num_parameters() == sum(weight.numel() for weight in MODEL.parameters())
    frozen = CedForAudioClassification.from_pretrained(CHECKPOINT)
    frozen.encoder.requires_grad_(False)
    assert frozen.num_parameters(only_trainable=True) == 48 + 48 + 48 * 527 + 527
    assert (MODEL.config.num_labels, MODEL.config.hidden_size) == (527, 48)


@pytest.mark.parametrize("name", ["dtype", "torch_dtype"])
def test_weights_are_loaded_in_another_type(name):
    assert CedModel.from_pretrained(CHECKPOINT, **{name: torch.bfloat16}).dtype == torch.bfloat16


def test_another_number_of_labels_needs_a_new_last_layer(caplog):
    with pytest.raises(ModelError, match=r"other shapes: outputlayer.1.weight \(527, 48\) instead of \(10, 48\)"):
        CedForAudioClassification.from_pretrained(CHECKPOINT, num_labels=10)
    model = CedForAudioClassification.from_pretrained(CHECKPOINT, num_labels=10, ignore_mismatched_sizes=True)
    assert model.config.id2label[9] == "LABEL_9"
    assert torch.equal(model.encoder.norm.weight, MODEL.encoder.norm.weight)
    assert "outputlayer.1.weight" in caplog.text


def test_a_model_can_be_built_without_memory():
    with torch.device("meta"):
        model = CedForAudioClassification(CedConfig())
    assert all(weight.is_meta for weight in model.parameters())


def test_labels_with_ids_in_text_are_read():
    stated = {"outputdim": 2, "id2label": {"0": "a", "1": "b"}, "label2id": {"a": "0", "b": "1"}}
    assert CedConfig.from_dict(stated).label2id == {"a": 0, "b": 1}


def sharded(folder, names=("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")):
    """The micro checkpoint in two files and an index, as transformers writes large models."""
    micro_checkpoint(folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: names[place % 2] for place, name in enumerate(weights)}
    for shard in names:
        save_file({name: weights[name] for name, place in places.items() if place == shard}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def test_weights_in_several_files_are_one_model(tmp_path):
    model = CedForAudioClassification.from_pretrained(sharded(tmp_path))
    assert all(map(torch.equal, model.state_dict().values(), MODEL.state_dict().values()))
    for backend in ("torch", "onnx"):
        assert Tagger.from_pretrained(str(tmp_path), backend=backend).scores(NOISE, 16_000).scores.shape == (1, 527)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "model.exe", 7])
def test_an_index_names_only_weights_beside_it(tmp_path, name):
    sharded(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelError, match=r"index.json: names files that are no weights beside it"):
        CedForAudioClassification.from_pretrained(tmp_path)


@pytest.mark.parametrize("wrapper", ["model", "state_dict", "model_state_dict"])
def test_wrapped_weights_of_a_parallel_training_are_read(tmp_path, wrapper):
    weights = {f"module.{name}": tensor for name, tensor in MODEL.state_dict().items()}
    torch.save({wrapper: weights, "epoch": 3}, tmp_path / "trained.pt")
    micro_checkpoint(tmp_path)
    model = CedForAudioClassification.from_pretrained(tmp_path / "trained.pt")
    assert all(map(torch.equal, model.state_dict().values(), MODEL.state_dict().values()))
