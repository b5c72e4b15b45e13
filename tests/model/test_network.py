import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cedtag import CedConfig, CedFeatureExtractor, CedForAudioClassification, CedModel
from cedtag.errors import InputError, ModelError
from tests.micro import CHECKPOINT, assert_golden, clips, golden, micro_checkpoint, original_checkpoint

EXTRACTOR = CedFeatureExtractor()
SMALL = CedConfig(depth=2, embed_dim=48, outputdim=5)


@pytest.fixture(scope="module", params=["hub", "original"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return CedForAudioClassification.from_pretrained(
        micro_checkpoint(folder) if request.param == "hub" else original_checkpoint(folder)
    )


def values_of(output, row=0):
    """The probabilities and the mean hidden state of one clip."""
    return output.probabilities[row].numpy(), output.last_hidden_state[row].mean(0).numpy()


@pytest.mark.parametrize("name", clips())
@torch.no_grad()
def test_a_clip_alone_equals_the_reference(model, name):
    assert_golden(name, *values_of(model(**EXTRACTOR(clips()[name]))))


@pytest.mark.parametrize("name", ["am_3p3s", "short_1s", "digital_silence_2s", "quarter_s"])
@torch.no_grad()
def test_the_network_alone_equals_the_reference_on_its_features(model, name):
    expected = golden()[name]
    probabilities, hidden_mean = values_of(model(torch.from_numpy(expected["features"])[None]))
    np.testing.assert_allclose(probabilities, expected["probabilities"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(hidden_mean, expected["hidden_mean"], rtol=0, atol=5e-6)


@torch.no_grad()
def test_a_clip_among_others_equals_the_reference(model):
    names = [name for name, clip in clips().items() if len(clip) == 160_000]
    assert len(names) == 3
    for order in (names, names[::-1], names * 3):
        output = model(**EXTRACTOR([clips()[name] for name in order]))
        for row, name in enumerate(order):
            assert_golden(name, *values_of(output, row))


def test_the_example_of_the_hubs_documentation_works():
    feature_extractor = CedFeatureExtractor.from_pretrained(CHECKPOINT)
    model = CedForAudioClassification.from_pretrained(CHECKPOINT)
    inputs = feature_extractor(clips()["short_1s"], sampling_rate=16000, return_tensors="pt")

    with torch.no_grad():
        logits = model(**inputs).logits
    predicted_class_id = torch.argmax(logits, dim=-1).item()
    predicted_label = model.config.id2label[predicted_class_id]  # type: ignore[index]
    assert predicted_class_id == golden()["short_1s"]["probabilities"].argmax()

    inputs["labels"] = torch.tensor([model.config.label2id[predicted_label]])
    loss = model(**inputs).loss
    assert 0 < round(loss.item(), 2) < 2


@torch.no_grad()
def test_logits_are_logits_and_probabilities_their_sigmoid(model):
    output = model(**EXTRACTOR(clips()["noise_10s"]))
    assert output.logits.min() < 0
    assert torch.equal(output.probabilities, output.logits.sigmoid())
    assert output.last_hidden_state.shape == (1, 4 * 62, 48)
    assert output.loss is None


@torch.no_grad()
def test_the_encoder_alone_gives_the_same_hidden_states():
    inputs = EXTRACTOR(clips()["short_1s"])
    encoder = CedModel.from_pretrained(CHECKPOINT)
    tagger = CedForAudioClassification.from_pretrained(CHECKPOINT)
    assert not encoder.training
    assert not tagger.training
    assert torch.equal(encoder(**inputs), tagger(**inputs).last_hidden_state)


@pytest.mark.parametrize("frames", [16, 17, 31, 32, 1012])
@torch.no_grad()
def test_frames_that_fill_no_patch_are_unused(frames):
    model = CedModel(SMALL).eval()
    features = torch.randn(2, 64, frames)
    whole = frames - frames % 16
    assert torch.equal(model(features), model(features[..., :whole]))
    assert model(features).shape == (2, 4 * (frames // 16), 48)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 64, 1013), r"1013 frames, but this model takes 1012 at most \(161919 samples\)"),
        ((2, 64, 2024), "2024 frames"),
        ((1, 64, 15), "15 frames, expected at least one patch of 16"),
        ((1, 64, 0), "0 frames"),
        ((1, 128, 1001), r"\(1, 128, 1001\), expected \(batch, 64, frames\)"),
        ((64, 1001), r"\(64, 1001\), expected"),
        ((1, 160_000), "make them with CedFeatureExtractor"),
    ],
)
def test_features_that_the_model_cannot_take_are_refused(shape, message):
    with pytest.raises(InputError, match=message):
        CedForAudioClassification(SMALL)(torch.zeros(shape))


def test_the_loss_is_the_mean_binary_cross_entropy():
    model = CedForAudioClassification(SMALL).eval()
    features = torch.randn(2, 64, 32)
    logits = model(features).logits
    targets = torch.tensor([[0, 1, 0, 0, 0], [0, 0, 0, 0, 1]])
    probabilities = logits.sigmoid()
    expected = -torch.where(targets == 1, probabilities, 1 - probabilities).log().mean()
    for labels in (
        torch.tensor([1, 4]),
        torch.tensor([1, 4], dtype=torch.int32),
        targets,
        targets.bool(),
        targets.float(),
    ):
        torch.testing.assert_close(model(features, labels).loss, expected)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([1]), r"shape \(1,\), expected class indices \(2,\) or multi-hot \(2, 5\)"),
        (torch.zeros(2, 4), r"shape \(2, 4\)"),
        (torch.tensor([1, 5]), "indices outside 0 to 4"),
        (torch.tensor([-1, 2]), "indices outside 0 to 4"),
        (torch.tensor([1.0, 2.0]), r"torch\.float32, expected integers"),
        (torch.full((2, 5), 1.5), "outside 0 to 1"),
        (torch.full((2, 5), torch.nan), "outside 0 to 1"),
    ],
)
def test_labels_that_mean_nothing_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        CedForAudioClassification(SMALL)(torch.zeros(2, 64, 16), labels)


def test_a_new_model_is_initialised_for_training():
    torch.manual_seed(0)
    model = CedForAudioClassification(CedConfig(depth=2))
    assert model.training
    for name, parameter in model.named_parameters():
        if name.endswith("bias") and "patch_embed" not in name:
            assert torch.equal(parameter, torch.zeros_like(parameter)), name
        elif "norm" in name or name in ("outputlayer.0.weight", "encoder.init_bn.weight"):
            assert torch.equal(parameter, torch.ones_like(parameter)), name
        elif "attn" not in name and "pos_embed" not in name and "patch_embed" not in name:
            assert parameter.std().item() == pytest.approx((2 / sum(parameter.shape)) ** 0.5, rel=0.1), name


@torch.no_grad()
def test_attention_of_a_new_model_looks_for_tokens_like_the_own_and_takes_from_them():
    attention = CedModel(SMALL).blocks[0].attn
    queries, keys, values = attention.qkv.weight.chunk(3)  # type: ignore[operator]
    identity = torch.eye(SMALL.embed_dim)
    torch.testing.assert_close(queries.T @ keys, identity, atol=1e-5, rtol=0)
    torch.testing.assert_close(attention.proj.weight @ values, -(0.63**2) * identity, atol=1e-5, rtol=0)  # type: ignore[operator]


@torch.no_grad()
@pytest.mark.parametrize("embed_dim", [48, 45])
def test_near_positions_of_a_new_model_are_alike(embed_dim):
    encoder = CedModel(CedConfig(embed_dim=embed_dim, num_heads=3, depth=1))
    along_time, along_frequency = encoder.time_pos_embed[0, :, 0].T, encoder.freq_pos_embed[0, :, :, 0].T
    assert not (along_time.abs().sum(0) * along_frequency.abs().sum(0)).any()
    for places in (along_time, along_frequency):
        distances = torch.cdist(places[:1], places)[0]
        assert distances.argsort()[:3].tolist() == [0, 1, 2]
        assert distances[1:].min() > 0.1


def test_every_parameter_learns():
    model = CedForAudioClassification(SMALL)
    model(torch.randn(4, 64, 1012), torch.arange(4)).loss.backward()
    untouched = [
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert untouched == []


@pytest.mark.parametrize("rate", ["drop_rate", "attn_drop_rate", "drop_path_rate"])
@torch.no_grad()
def test_dropout_acts_in_training_alone(rate):
    torch.manual_seed(0)
    model = CedForAudioClassification(CedConfig(depth=2, embed_dim=48, outputdim=5, **{rate: 0.5}))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    model.encoder.init_bn.eval()
    features = torch.randn(8, 64, 64)
    assert not torch.equal(model.encoder.train()(features), model.encoder(features))
    assert torch.equal(model.eval()(features).logits, model(features).logits)


def test_a_saved_model_reads_back_bit_for_bit(tmp_path):
    torch.manual_seed(0)
    model = CedForAudioClassification(SMALL).eval()
    encoder = model.encoder
    model.save_pretrained(tmp_path / "tagger")
    encoder.save_pretrained(tmp_path / "encoder")
    features = torch.randn(1, 64, 100)
    again = CedForAudioClassification.from_pretrained(tmp_path / "tagger")
    assert again.config.to_dict() == model.config.to_dict()
    assert torch.equal(again(features).logits, model(features).logits)
    assert torch.equal(CedModel.from_pretrained(tmp_path / "encoder")(features), encoder(features))
    with pytest.raises(ModelError, match=r"missing: outputlayer\.0\.weight"):
        CedForAudioClassification.from_pretrained(tmp_path / "encoder")


def test_the_saved_files_are_those_of_the_hub(tmp_path):
    CedForAudioClassification.from_pretrained(CHECKPOINT).save_pretrained(tmp_path)
    published = json.loads((CHECKPOINT / "config.json").read_text())
    said = {"problem_type": "multi_label_classification"}  # else transformers takes one class a clip for granted
    assert json.loads((tmp_path / "config.json").read_text()) == published | said
    ours, theirs = load_file(tmp_path / "model.safetensors"), load_file(CHECKPOINT / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("known", "embed_dim", "num_heads", "millions"),
    [("tiny", 192, 3, 5.5), ("mini", 256, 4, 9.6), ("small", 384, 6, 22), ("base", 768, 12, 86)],
)
def test_the_published_sizes_have_their_published_numbers_of_parameters(known, embed_dim, num_heads, millions):
    model = CedForAudioClassification(CedConfig(embed_dim=embed_dim, num_heads=num_heads), initialise=False)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.02)


def test_in_place_changes_rounding_alone_and_nothing_where_gradients_are_asked_for():
    model = CedForAudioClassification(SMALL).eval()
    features = 20 * torch.randn(2, SMALL.n_mels, 100) - 40
    seen = []
    model.encoder.blocks[0].register_forward_hook(lambda _block, _inputs, output: seen.append(output))
    plain = model(features)
    model.encoder.in_place = True
    assert torch.equal(model(features).logits, plain.logits)
    assert len(seen) == 2
    with torch.inference_mode():
        in_place = model(features)
    assert len(seen) == 2  # blocks were not called, but overwrote their tokens
    torch.testing.assert_close(in_place.last_hidden_state, plain.last_hidden_state, rtol=0, atol=1e-5)
    torch.testing.assert_close(in_place.logits, plain.logits, rtol=0, atol=1e-5)
    with torch.inference_mode():
        model.train()(features)
    assert len(seen) == 3  # dropout and the like need the blocks
