"""A frozen encoder of pictures: a vision tower of transformers (CLIP, SigLIP) whose patch states are read once.

Pictures become pixels as the encoder's own preprocessor_config.json says it, by torch alone: the shorter side (CLIP) or
both (SigLIP) are resized, the middle is cut out, numbers are scaled. Without that file pictures must have its size.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import AutoConfig, CLIPVisionModel, PreTrainedModel, SiglipVisionModel

from ripeness.models.gpu_choice import device_for_models
from ripeness.models.tuned_state import fingerprint_of
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json

PREPROCESSOR = "preprocessor_config.json"
TOWERS = {
    "clip": CLIPVisionModel, "clip_vision_model": CLIPVisionModel,
    "siglip": SiglipVisionModel, "siglip_vision_model": SiglipVisionModel,
}  # fmt: skip
BATCH = 64  # pictures that are read at once


@dataclass(frozen=True)
class Encoder:
    """A vision tower, the layer whose states are taken, and how pictures become its pixels.

    `size` are the pixels of a side; with `keeps_shape` the shorter side gets them and the middle is cut out. States of
    the first `n_before` places are of no patch.
    """

    tower: PreTrainedModel
    layer: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    keeps_shape: bool
    n_before: int

    @property
    def fingerprint(self) -> str:
        """A digest of all that decides the states of a picture."""
        how = (self.layer, self.size, self.mean, self.std, self.keeps_shape, self.n_before)
        return hashlib.sha256(repr((fingerprint_of(self.tower), how)).encode()).hexdigest()[:32]

    @property
    def n_patches(self) -> int:
        """How many states a picture has."""
        return int((self.size // self.tower.config.patch_size) ** 2)


def load_encoder(folder: Path, *, layer: int) -> Encoder:
    """Load a frozen encoder; UserError for a folder that holds none, or a layer that it does not have."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tower = TOWERS.get(config.model_type)
        if tower is None:
            raise ValueError(f"it holds a model of type {config.model_type!r}")
        model = tower.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except Exception as error:  # a foreign folder fails in as many ways as there are architectures
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"the encoder in {folder} cannot be read: {line}\nhint: a folder of CLIP or SigLIP, as save_pretrained "
            f"writes it; known are {', '.join(TOWERS)}"
        ) from None
    n_layers = model.config.num_hidden_layers
    if not -n_layers - 1 <= layer <= n_layers:
        raise UserError(f"pictures.layer: {layer} is no layer of an encoder with {n_layers}\nhint: -2, as LLaVA has it")
    return encoder_of(model, layer, folder / PREPROCESSOR)


def encoder_of(model: PreTrainedModel, layer: int, preprocessor: Path) -> Encoder:
    """Make an encoder of a vision tower, with what a preprocessor's file says."""
    said: dict[str, Any] = read_json(preprocessor, dict) if preprocessor.is_file() else {}
    is_scaled = said.get("do_normalize", True)
    has_class = isinstance(model, CLIPVisionModel)
    return Encoder(
        tower=model.requires_grad_(False).to(device_for_models()).eval(),
        layer=layer,
        size=int(model.config.image_size),
        mean=tuple(said.get("image_mean", (0.5, 0.5, 0.5))) if is_scaled else (0.0, 0.0, 0.0),
        std=tuple(said.get("image_std", (0.5, 0.5, 0.5))) if is_scaled else (1.0, 1.0, 1.0),
        keeps_shape=bool(said.get("do_center_crop", has_class)),
        n_before=1 if has_class else 0,
    )


def pixels_of(encoder: Encoder, picture: np.ndarray) -> torch.Tensor:
    """Turn a picture (H, W, 3) of bytes into the pixels (3, S, S) that the encoder reads."""
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float()
    height, width = pixels.shape[1:]
    wanted = (encoder.size, encoder.size)
    if encoder.keeps_shape:
        scale = encoder.size / min(height, width)
        wanted = (max(encoder.size, int(height * scale)), max(encoder.size, int(width * scale)))
    if wanted != (height, width):
        pixels = interpolate(pixels[None], size=wanted, mode="bicubic", antialias=True)[0].round().clamp(0, 255)
    top, left = ((length - encoder.size) // 2 for length in wanted)
    pixels = pixels[:, top : top + encoder.size, left : left + encoder.size] / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (encoder.mean, encoder.std))
    return (pixels - mean) / std


def patch_states(tower: PreTrainedModel, pixels: torch.Tensor, *, layer: int, n_before: int) -> torch.Tensor:
    """Compute the states (B, P, D) of the patches of pictures (B, 3, S, S) behind a layer."""
    return tower(pixel_values=pixels, output_hidden_states=True).hidden_states[layer][:, n_before:]


@torch.inference_mode()
def encode(encoder: Encoder, pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """Compute the patch states (n, P, D) of pictures, on the CPU; UserError where they are no numbers."""
    found = []
    for start in range(0, len(pictures), BATCH):
        pixels = torch.stack([pixels_of(encoder, picture) for picture in pictures[start : start + BATCH]])
        states = patch_states(
            encoder.tower, pixels.to(encoder.tower.device), layer=encoder.layer, n_before=encoder.n_before
        )
        found.append(states.float().cpu())
    states = torch.cat(found)
    if not states.isfinite().all():
        raise UserError("the encoder produces states that are not numbers\nhint: use another encoder, or another layer")
    return states
