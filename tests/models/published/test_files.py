"""A published checkpoint is read whole or refused with one sentence that names what is wrong."""

import argparse
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import VideoMAEForPreTraining, VJEPA2Model

from tests.models.published.random_models import (
    clips,
    pixels,
    randomised,
    saved,
    videomae_config,
    vjepa2_config,
)
from transferscale.errors import UserError
from transferscale.models.published import videomae, vjepa2
from transferscale.models.published.files import read_published

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return saved(randomised(VideoMAEForPreTraining(videomae_config(use_mean_pooling=False))), tmp_path)


def changed(folder: Path, change: Callable[[Tensors], Any]) -> Path:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    return folder


def reconfigured(folder: Path, **changes: Any) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


BIAS = "videomae.encoder.layer.1.output.dense.bias"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop(BIAS), r"weight 'encoder\.layer\.1\.output\.dense\.bias' is missing"),
        (lambda w: w.update({BIAS: torch.zeros(47)}), r"layer\.1\.output\.dense\.bias' has shape \(47,\)"),
        (lambda w: w.update(surprise=torch.zeros(2)), "weight 'surprise' is not part of"),
        (lambda w: w[BIAS].fill_(float("nan")), r"layer\.1\.output\.dense\.bias' holds numbers that are not"),
        (lambda w: w.update({BIAS: torch.zeros(48, dtype=torch.int64)}), "not real"),
    ],
)
def test_a_weight_that_does_not_fit_is_named(
    published: Path, change: Callable[[Tensors], Any], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        videomae.read_encoder(read_published(changed(published, change)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"num_hidden_layers": 3}, r"weight 'encoder\.layer\.2\.layernorm_before\.weight' is missing"),
        ({"num_hidden_layers": 1}, r"weight 'encoder\.layer\.1\.attention\.attention\.key\.weight' is not"),
        ({"use_mean_pooling": True}, r"weight 'layernorm\.bias' is not part of"),
        ({"qv_bias": False}, r"q_bias' is not part of"),
        ({"intermediate_size": 81}, r"intermediate\.dense\.weight' has shape \(80, 48\), .* \(81, 48\)"),
        ({"hidden_size": "wide"}, "key 'hidden_size'"),
        ({"hidden_act": "relu"}, "key 'hidden_act'"),
        ({"image_size": [16, 24]}, "key 'image_size'"),
        ({"num_attention_heads": 5}, "48 is not a multiple of num_attention_heads 5"),
    ],
)
def test_a_configuration_that_does_not_fit_is_named(
    published: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        videomae.read_encoder(read_published(reconfigured(published, **changes)))


def test_square_sizes_may_be_given_as_pairs_and_old_files_say_qkv_bias(published: Path) -> None:
    config = json.loads((published / "config.json").read_text())
    del config["qv_bias"]
    config |= {"image_size": [16, 16], "patch_size": [8, 8], "qkv_bias": True}
    (published / "config.json").write_text(json.dumps(config))
    assert videomae.read_encoder(read_published(published))[0].scale.qkv_bias


def test_missing_files_are_named(published: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file or folder$"):
        read_published(tmp_path / "nowhere")
    with pytest.raises(UserError, match="hf download MCG-NJU/videomae-base --local-dir DIR"):
        read_published(Path("MCG-NJU/videomae-base"))
    (published / "model.safetensors").rename(published / "other.safetensors")
    with pytest.raises(UserError, match=r"holds neither model\.safetensors nor pytorch_model\.bin"):
        read_published(published)
    assert read_published(published / "other.safetensors").path.name == "other.safetensors"
    (published / "config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json: no such file"):
        read_published(published / "other.safetensors")


def test_broken_files_are_named(published: Path) -> None:
    weights = published / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        read_published(published)
    torch.save({"a": torch.zeros(1000)}, published / "w.pth")
    (published / "w.pth").write_bytes((published / "w.pth").read_bytes()[:900])
    with pytest.raises(UserError, match="not a readable torch file"):
        read_published(published / "w.pth")
    (published / "w.npz").write_bytes(b"")
    with pytest.raises(UserError, match=r"not '\.npz'"):
        read_published(published / "w.npz")
    (published / "preprocessor_config.json").write_text('{"image_mean": [0.5]}')
    with pytest.raises(UserError, match="image_mean and image_std"):
        read_published(saved_again(published))


def saved_again(folder: Path) -> Path:
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(1)}, folder / "pytorch_model.bin")
    return folder


class Evil:
    """What a pickle may do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(__file__).parent / "ran",)


@pytest.mark.parametrize(
    "content",
    [
        {"model": {"a": torch.zeros(1)}, "args": argparse.Namespace(lr=1.0)},
        {"a": Evil()},
    ],
)
def test_a_pickle_that_holds_more_than_weights_is_refused_and_runs_nothing(
    published: Path, content: dict[str, Any]
) -> None:
    torch.save(content, published / "w.pth")
    with pytest.raises(UserError, match="holds more than weights and could run code"):
        read_published(published / "w.pth")
    (published / "w.pt").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match="holds more than weights and could run code"):
        read_published(published / "w.pt")
    assert not (Path(__file__).parent / "ran").exists()


def test_a_torch_file_without_weights_is_refused(published: Path) -> None:
    torch.save([torch.zeros(1)], published / "w.pth")
    with pytest.raises(UserError, match="holds no weights by name"):
        read_published(published / "w.pth")
    torch.save({"epoch": 3}, published / "w.pth")
    with pytest.raises(UserError, match="'epoch' is not a weight but a int"):
        read_published(published / "w.pth")


def fused(weights: Tensors, theirs: str, ours: str) -> Tensors:
    """Queries, keys and values in one."""
    parts = [weights[theirs.format(part)] for part in ("query", "key", "value")]
    return {ours: torch.cat(parts)}


def test_files_of_the_original_videomae_are_read(published: Path) -> None:
    """Names as its repository's ``modeling_pretrain.py`` gives them."""
    model = VideoMAEForPreTraining(videomae_config(use_mean_pooling=False))
    randomised(model)
    w = model.state_dict()
    out = {
        "encoder.patch_embed.proj.weight": w["videomae.embeddings.patch_embeddings.projection.weight"],
        "encoder.patch_embed.proj.bias": w["videomae.embeddings.patch_embeddings.projection.bias"],
        "encoder.norm.weight": w["videomae.layernorm.weight"],
        "encoder.norm.bias": w["videomae.layernorm.bias"],
        "mask_token": w["mask_token"],
        "encoder_to_decoder.weight": w["encoder_to_decoder.weight"],
        "decoder.blocks.0.norm1.weight": w["decoder.decoder_layers.0.layernorm_before.weight"],
        "decoder.head.weight": w["decoder.head.weight"],
    }
    for i in range(2):
        theirs, ours = f"videomae.encoder.layer.{i}.", f"encoder.blocks.{i}."
        out |= fused(w, theirs + "attention.attention.{}.weight", ours + "attn.qkv.weight")
        out[ours + "attn.q_bias"] = w[theirs + "attention.attention.query.bias"]
        out[ours + "attn.v_bias"] = w[theirs + "attention.attention.value.bias"]
        for kind in ("weight", "bias"):
            for a, b in [
                ("norm1", "layernorm_before"),
                ("attn.proj", "attention.output.dense"),
                ("norm2", "layernorm_after"),
                ("mlp.fc1", "intermediate.dense"),
                ("mlp.fc2", "output.dense"),
            ]:
                out[f"{ours}{a}.{kind}"] = w[f"{theirs}{b}.{kind}"]
    torch.save({"model": out, "epoch": 800}, published / "checkpoint.pth")
    encoder, left_out = videomae.read_encoder(read_published(published / "checkpoint.pth"))
    assert left_out == ["decoder", "encoder_to_decoder", "mask_token"]
    with torch.no_grad():
        expected = model.videomae(pixels()).last_hidden_state
        torch.testing.assert_close(encoder(clips(pixels())), expected, rtol=1e-5, atol=1e-5)
    del out["encoder.blocks.1.mlp.fc1.bias"]
    torch.save({"model": out}, published / "checkpoint.pth")
    with pytest.raises(UserError, match=r"layer\.1\.intermediate\.dense\.bias' is missing"):
        videomae.read_encoder(read_published(published / "checkpoint.pth"))


def test_files_of_the_original_vjepa2_are_read_and_its_teacher_is_taken(tmp_path: Path) -> None:
    """Names as its repository's ``vision_transformer.py`` gives them; its hub takes ``target_encoder`` too."""
    model = randomised(VJEPA2Model(vjepa2_config()))
    saved(model, tmp_path)
    w = model.state_dict()
    out = {
        "module.backbone.pos_embed": torch.zeros(1, 8, 48),
        "module.backbone.patch_embed.proj.weight": w["encoder.embeddings.patch_embeddings.proj.weight"],
        "module.backbone.patch_embed.proj.bias": w["encoder.embeddings.patch_embeddings.proj.bias"],
        "module.backbone.norm.weight": w["encoder.layernorm.weight"],
        "module.backbone.norm.bias": w["encoder.layernorm.bias"],
    }
    for i in range(2):
        theirs, ours = f"encoder.layer.{i}.", f"module.backbone.blocks.{i}."
        for kind in ("weight", "bias"):
            out |= fused(w, theirs + "attention.{}." + kind, f"{ours}attn.qkv.{kind}")
            for a, b in [("attn.proj", "attention.proj")] + [(n,) * 2 for n in ("norm1", "norm2")]:
                out[f"{ours}{a}.{kind}"] = w[f"{theirs}{b}.{kind}"]
            for layer in ("mlp.fc1", "mlp.fc2"):
                out[f"{ours}{layer}.{kind}"] = w[f"{theirs}{layer}.{kind}"]
    student = {name: torch.zeros_like(value) for name, value in out.items()}
    torch.save({"encoder": student, "target_encoder": out, "epoch": 1}, tmp_path / "vitl.pt")
    encoder, _ = vjepa2.read_encoder(read_published(tmp_path / "vitl.pt"))
    with torch.no_grad():
        expected = model(pixels()).last_hidden_state
        torch.testing.assert_close(encoder(clips(pixels())), expected, rtol=1e-5, atol=1e-5)
