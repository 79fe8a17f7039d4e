"""A frozen encoder: pictures become pixels as CLIP and SigLIP have it, and its states are those of transformers."""

import json

import numpy as np
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel, SiglipVisionConfig, SiglipVisionModel

from ripeness.models.vision import PREPROCESSOR, encode, load_encoder, pixels_of
from ripeness.runtime.errors import UserError

SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
SIZES |= {"image_size": 24, "patch_size": 8}
KINDS = {"clip": (CLIPVisionModel, CLIPVisionConfig), "siglip": (SiglipVisionModel, SiglipVisionConfig)}


@pytest.fixture(params=KINDS)
def folder(request, tmp_path):
    torch.manual_seed(0)
    model, config = KINDS[request.param]
    model(config(**SIZES)).save_pretrained(tmp_path)
    return tmp_path


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_states_are_those_of_the_patches_behind_the_layer(folder):
    found = load_encoder(folder, layer=-2)
    pictures = [picture(24, 24, seed) for seed in range(3)]
    states = encode(found, pictures)
    pixels = torch.stack([torch.from_numpy(one).permute(2, 0, 1) / 127.5 - 1 for one in pictures])
    with torch.no_grad():
        hidden = found.tower(pixel_values=pixels, output_hidden_states=True).hidden_states
    expected = hidden[2][:, -9:]  # CLIP has one state more, of the whole picture, before those of the 9 patches
    assert torch.allclose(states, expected, atol=1e-5)
    assert states.shape == (3, found.n_patches, 16)


def test_one_layer_more_or_other_weights_are_another_encoder(folder):
    one, same, other = (load_encoder(folder, layer=layer).fingerprint for layer in (-2, -2, -1))
    assert one == same != other
    encoder = load_encoder(folder, layer=-2)
    next(encoder.tower.parameters()).data[0] += 1
    assert encoder.fingerprint != one


def test_pixels_are_scaled_by_the_preprocessors_numbers(folder):
    said = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
    (folder / PREPROCESSOR).write_text(json.dumps(said))
    pixels = pixels_of(load_encoder(folder, layer=-2), np.full((24, 24, 3), 255, dtype=np.uint8))
    expected = torch.tensor([0.6 / 0.2, 0.5 / 0.3, 0.4 / 0.4])
    assert torch.allclose(pixels, expected[:, None, None].expand(3, 24, 24))


def test_clip_cuts_the_middle_out_and_siglip_takes_all_of_a_picture(folder):
    wide = np.zeros((24, 72, 3), dtype=np.uint8)
    wide[:, :24], wide[:, 48:] = 255, 255
    encoder = load_encoder(folder, layer=-2)
    pixels = pixels_of(encoder, wide)
    assert pixels.shape == (3, 24, 24)
    if encoder.keeps_shape:
        assert pixels.max() == -1  # the middle is black
    else:
        assert (pixels[:, :, 0] > 0.9).all() and (pixels[:, :, 12] < -0.9).all()


def test_a_large_picture_is_made_smaller(folder):
    encoder = load_encoder(folder, layer=-2)
    smooth = np.full((96, 96, 3), (200, 100, 50), dtype=np.uint8)
    small = np.full((24, 24, 3), (200, 100, 50), dtype=np.uint8)
    assert torch.allclose(pixels_of(encoder, smooth), pixels_of(encoder, small), atol=1e-2)


def test_what_is_no_encoder_and_a_layer_that_is_not_there_are_refused(folder, checkpoint, tmp_path):
    with pytest.raises(UserError, match=r"pictures\.layer: 7 is no layer of an encoder with 3\nhint: -2"):
        load_encoder(folder, layer=7)
    with pytest.raises(
        UserError, match="cannot be read: it holds a model of type 'llama'\nhint: a folder of CLIP or SigLIP"
    ):
        load_encoder(checkpoint, layer=-2)
    with pytest.raises(UserError, match="cannot be read: .*\nhint: "):
        load_encoder(tmp_path / "nothing", layer=-2)
