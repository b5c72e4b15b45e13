"""CED in transformers: the `Auto` classes, saving and loading, pipelines and the Trainer."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from cedtag import CedFeatureExtractor, CedForAudioClassification, ModelError
from tests.fake_hub import FakeHub, client_environment
from tests.micro import CHECKPOINT, assert_golden, clips

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

from transformers import (  # noqa: E402
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForAudioClassification,
    Trainer,
    TrainingArguments,
    pipeline,
)

import cedtag.hf as hf  # noqa: E402

NOISE = clips()["noise_10s"]


def tagger(**options):
    return AutoModelForAudioClassification.from_pretrained(CHECKPOINT, **options).eval()


@torch.no_grad()
def logits_of(model, *waves):
    return model(**hf.CedFeatureExtractor()(list(waves), 16_000, "pt")).logits


@pytest.mark.parametrize("name", clips())
def test_golden_values_come_out_of_the_auto_classes(name):
    inputs = AutoFeatureExtractor.from_pretrained(CHECKPOINT)(clips()[name], sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        logits = tagger()(**inputs).logits
        hidden = AutoModel.from_pretrained(CHECKPOINT).eval()(**inputs).last_hidden_state
        plain = CedForAudioClassification.from_pretrained(CHECKPOINT)(**CedFeatureExtractor()(clips()[name]))
    assert_golden(name, logits.sigmoid()[0].numpy(), hidden.mean(1)[0].numpy())
    torch.testing.assert_close(logits, plain.logits, rtol=0, atol=1e-6)


DOCUMENTED = """
import cedtag.hf
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
import numpy as np
import torch

model_name = "acme/ced-micro"
feature_extractor = AutoFeatureExtractor.from_pretrained(model_name)
model = AutoModelForAudioClassification.from_pretrained(model_name)
audio = np.random.RandomState(0).standard_normal(16000).astype("float32")
inputs = feature_extractor(audio, sampling_rate=16000, return_tensors="pt")
with torch.no_grad():
    logits = model(**inputs).logits
predicted_class_id = torch.argmax(logits, dim=-1).item()
label = model.config.id2label[predicted_class_id]
inputs["labels"] = torch.tensor([model.config.label2id[label]])
loss = model(**inputs).loss
print(label, loss.item() > 0)
"""


def test_the_documented_example_runs_against_a_hub(tmp_path):
    with FakeHub() as hub:
        hub.add("acme/ced-micro", {file.name: file.read_bytes() for file in CHECKPOINT.iterdir()})
        environment = os.environ | client_environment(hub, tmp_path / "cache") | {"HF_HUB_DISABLE_XET": "1"}
        done = subprocess.run([sys.executable, "-c", DOCUMENTED], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("True\n")


def test_importing_cedtag_does_not_import_transformers():
    program = "import sys, cedtag, cedtag.cli; cedtag.CedForAudioClassification; print('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


def test_what_transformers_saves_is_what_cedtag_saves(tmp_path, cedtag):
    model = tagger()
    model.save_pretrained(tmp_path / "hf")
    hf.CedFeatureExtractor.from_pretrained(CHECKPOINT).save_pretrained(tmp_path / "hf")
    plain = CedForAudioClassification.from_pretrained(tmp_path / "hf")
    plain.save_pretrained(tmp_path / "plain")
    back = AutoModelForAudioClassification.from_pretrained(tmp_path / "plain")
    for one, other in ((model, plain), (model, back)):
        assert one.state_dict().keys() == other.state_dict().keys()
        assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    written = json.loads((tmp_path / "hf" / "config.json").read_text())
    assert (written["outputdim"], written["problem_type"]) == (527, "multi_label_classification")
    soundfile.write(tmp_path / "noise.wav", NOISE, 16_000)
    rows = [
        cedtag(tmp_path / "noise.wav", "-m", folder, "-f", "csv").stdout for folder in (CHECKPOINT, tmp_path / "hf")
    ]
    assert rows[0] == rows[1] != ""


def test_another_number_of_labels_has_a_new_last_layer(tmp_path):
    model = tagger(num_labels=10, ignore_mismatched_sizes=True)
    assert (model.config.outputdim, model.config.num_labels, len(model.config.id2label)) == (10, 10, 10)
    assert logits_of(model, NOISE).shape == (1, 10)
    assert 0.05 < model.outputlayer[1].weight.std() < 1
    assert torch.equal(model.encoder.norm.weight, tagger().encoder.norm.weight)
    model.save_pretrained(tmp_path)
    assert CedForAudioClassification.from_pretrained(tmp_path).config.outputdim == 10


def test_a_model_from_a_config_has_first_weights():
    config = AutoConfig.from_pretrained(CHECKPOINT)
    for model in (AutoModelForAudioClassification.from_config(config), AutoModel.from_config(config)):
        assert all(weight.isfinite().all() for weight in model.parameters())
        block = dict(model.named_modules())["blocks.0" if isinstance(model, hf.CedModel) else "encoder.blocks.0"]
        assert torch.equal(block.attn.proj.weight, -block.attn.qkv.weight.chunk(3)[2].T)
    assert hf.CedConfig().outputdim == hf.CedConfig().plain.outputdim == 527
    assert hf.CedConfig(outputdim=3).num_labels == hf.CedConfig(num_labels=3).outputdim == 3


def test_a_config_that_is_no_ced_is_refused():
    with pytest.raises(ModelError, match="num_heads is 5, expected a divisor of embed_dim 192"):
        AutoModel.from_config(hf.CedConfig(num_heads=5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    model = tagger(dtype=dtype)
    assert model.dtype == dtype
    inputs = hf.CedFeatureExtractor()(NOISE, 16_000, "pt")
    with torch.no_grad():
        for features in (inputs, inputs.to(dtype)):
            logits = model(**features).logits.float()
            torch.testing.assert_close(logits, logits_of(tagger(), NOISE), rtol=0, atol=0.1)


def test_a_file_in_half_precision_is_loaded_as_it_is(tmp_path):
    tagger().half().save_pretrained(tmp_path)
    model = AutoModelForAudioClassification.from_pretrained(tmp_path).eval()
    assert model.dtype == torch.float16
    torch.testing.assert_close(logits_of(model, NOISE).float(), logits_of(tagger(), NOISE), rtol=0, atol=0.1)


def test_every_clip_of_a_batch_has_the_result_that_it_has_alone():
    waves = [NOISE[:40_000], NOISE[5_000:], NOISE[:3_000], NOISE[:40_000] * 0.1]
    alone = torch.cat([logits_of(tagger(), wave) for wave in waves])
    torch.testing.assert_close(logits_of(tagger(), *waves), alone, rtol=0, atol=1e-6)


def test_a_long_clip_is_scored_by_the_mean_over_the_tokens_of_its_windows():
    long, model = np.tile(NOISE, 3)[:400_000], tagger()
    features = hf.CedFeatureExtractor()(long, 16_000, "pt")["input_values"]
    with torch.no_grad():
        tokens = [model.encoder(piece).last_hidden_state for piece in features.split(63 * 16, dim=-1)]
        expected = model.outputlayer(torch.cat(tokens, dim=1).mean(1))
        found = logits_of(model, long, NOISE)
    torch.testing.assert_close(found, torch.cat([expected, logits_of(model, NOISE)]), rtol=0, atol=2e-6)


def test_pipelines_take_arrays_and_dictionaries_of_any_rate():
    classifier = pipeline("audio-classification", model=str(CHECKPOINT))
    scores = {entry["label"]: entry["score"] for entry in classifier(NOISE, top_k=527)}
    expected = logits_of(tagger(), NOISE).sigmoid()[0]
    assert scores == pytest.approx({name: expected[i].item() for i, name in tagger().config.id2label.items()}, abs=1e-6)
    slow = classifier({"array": np.repeat(NOISE, 2), "sampling_rate": 32_000}, top_k=1)
    assert slow[0]["label"] == max(scores, key=scores.__getitem__)
    assert len(classifier(np.tile(NOISE, 3), top_k=2)) == 2


@pytest.mark.parametrize("problem_type", ["multi_label_classification", "single_label_classification"])
def test_the_trainer_trains_saves_and_evaluates(tmp_path, problem_type):
    model = tagger(num_labels=3, ignore_mismatched_sizes=True, problem_type=problem_type)
    single = problem_type.startswith("single")
    label = torch.tensor(1) if single else torch.tensor([0.0, 1.0, 1.0])
    features = hf.CedFeatureExtractor()(NOISE[:8000], 16_000, "pt")["input_values"][0]
    examples = [{"input_values": features, "labels": label}] * 4
    settings = TrainingArguments(
        tmp_path / "out",
        max_steps=3,
        per_device_train_batch_size=2,
        gradient_checkpointing=True,
        learning_rate=1e-2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(model, settings, train_dataset=examples, eval_dataset=examples)
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < before
    trainer.save_model(tmp_path / "saved")
    assert CedForAudioClassification.from_pretrained(tmp_path / "saved").config.problem_type == problem_type
    classifier = pipeline(
        "audio-classification", model=str(tmp_path / "saved"), feature_extractor=hf.CedFeatureExtractor()
    )
    total = sum(entry["score"] for entry in classifier(NOISE[:8000], top_k=3))
    assert (total == pytest.approx(1, abs=1e-5)) == single


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="transformers reads files with ffmpeg")
def test_a_pipeline_takes_the_path_of_a_file(tmp_path):
    classifier = pipeline("audio-classification", model=str(CHECKPOINT))
    soundfile.write(tmp_path / "noise.wav", NOISE, 16_000, subtype="FLOAT")
    (from_file,), (from_array,) = classifier(str(tmp_path / "noise.wav"), top_k=1), classifier(NOISE, top_k=1)
    assert from_file == {**from_array, "score": pytest.approx(from_array["score"], abs=1e-4)}


def test_gradient_checkpointing_changes_no_gradient():
    gradients = []
    for checkpointing in (False, True):
        model = tagger().train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        inputs = hf.CedFeatureExtractor()(NOISE[:16_000], 16_000, "pt")
        model(**inputs, labels=torch.tensor([3])).loss.backward()
        gradients.append([weight.grad for weight in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
