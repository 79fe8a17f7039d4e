"""Pictures and encoders from the hub, by the real client from a server on loopback."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hub_fixtures import DATA
from transformers import CLIPConfig, CLIPModel, SiglipVisionConfig, SiglipVisionModel

import fetch_dataset
import fetch_encoder
from ripeness.data.nursery.scenes import npy_bytes
from ripeness.data.rows import read_sources
from ripeness.models.vision import encode, load_encoder, pixels_of
from ripeness.runtime.errors import UserError
from ripeness.storage.pictures import read_pictures

PIXELS = [np.full((5, 4, 3), 40 * n, dtype=np.uint8) for n in range(3)]
SPLITS = {"train": "train", "validation": "train", "test": "train"}
TOWER = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
TOWER |= {"image_size": 24, "patch_size": 8}
ENCODER = "someone/tiny-encoder"


def with_pictures(rows, column="image"):
    """Parquet as the library of datasets writes a column of pictures, which it decodes when it is asked for."""
    table = pa.Table.from_pylist(rows)
    kinds = {
        name: {"dtype": str(kind), "_type": "Value"}
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
    }
    info = {"info": {"features": kinds | {column: {"_type": "Image"}}}}
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), file)
    return file.getvalue()


def picture(number):
    return {"bytes": npy_bytes(PIXELS[number]), "path": f"{number}.npy"}


def fetched(hub, tmp_path, files, **more):
    configs = sorted({path.partition("/")[0] for path in files})
    card = "---\nconfigs:\n" + "".join(
        f"- config_name: {name}\n  data_files:\n  - {{split: train, path: {name}/train-*}}\n" for name in configs
    )
    commit = hub.repository(DATA, "dataset").add("main", {"README.md": f"{card}---\n".encode()} | files)
    source = {"hub": DATA, "config": "plain", "revision": commit, "splits": SPLITS, "image": "image"} | more
    words = ["--source", json.dumps(source), "--licence", "none", "--output", str(tmp_path / "rows")]
    fetch_dataset.main(words)
    return [row.values for row in read_sources(tmp_path / "rows")["train"]]


def seen(tmp_path, rows):
    return list(read_pictures(tmp_path / "rows", [row["image"] for row in rows]).values())


def test_pictures_in_the_rows_of_the_hub_are_kept_as_they_were_published(hub, waits, tmp_path):
    rows = [{"question": f"what is {n} ?", "image": picture(n % 3)} for n in range(5)]
    found = fetched(hub, tmp_path, {"plain/train-0.parquet": with_pictures(rows)})
    assert [row["question"] for row in found] == [row["question"] for row in rows]
    assert all(np.array_equal(one, PIXELS[n]) for n, one in enumerate(seen(tmp_path, found)))
    assert len({row["image"] for row in found}) == 3


def test_pictures_in_another_configuration_are_found_by_their_id(hub, waits, tmp_path):
    rows = [{"question": f"what is {n} ?", "of": f"p{n % 2}"} for n in range(4)]
    pictures = with_pictures([{"id": f"p{n}", "image": picture(n)} for n in range(3)])
    plain = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), plain)
    files = {"plain/train-0.parquet": plain.getvalue(), "images/train-0.parquet": pictures}
    elsewhere = {"config": "images", "id": "id", "by": "of"}
    found = fetched(hub, tmp_path, files, images=elsewhere)
    assert len({row["image"] for row in found}) == 2 and found[0]["image"] == found[2]["image"]
    assert np.array_equal(seen(tmp_path, found)[1], PIXELS[1])
    for change, message in (
        ({"by": "name"}, "configuration plain, has no column 'name'; it has question, of\nhint: set `id` and `by`"),
        ({"id": "name"}, "configuration images, has no column 'name'; it has id, image\nhint: "),
    ):
        with pytest.raises(UserError, match=message):
            fetched(hub, tmp_path, files, images=elsewhere | change)
    rows[2]["of"] = "p9"
    plain = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), plain)
    with pytest.raises(UserError, match="train:3: image is null, and no picture\nhint: "):
        fetched(hub, tmp_path, files | {"plain/train-0.parquet": plain.getvalue()}, images=elsewhere)


def test_a_row_of_the_hub_names_no_file_of_this_machine(hub, waits, tmp_path):
    (tmp_path / "secret.npy").write_bytes(npy_bytes(PIXELS[0]))
    for value in ({"bytes": None, "path": str(tmp_path / "secret.npy")}, {"bytes": None, "path": "../secret.npy"}):
        rows = [{"question": "what ?", "image": picture(0)}, {"question": "what now ?", "image": value}]
        with pytest.raises(UserError, match="train:2: the row names a picture, .*, that is not in it\nhint: save"):
            fetched(hub, tmp_path, {"plain/train-0.parquet": with_pictures(rows)})
    assert not (tmp_path / "rows").exists()


def publish(hub, folder, *, drop=(), more=None):
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in drop}
    return hub.repository(ENCODER).add("main", files | (more or {}))


def fetch(tmp_path, commit, layer="-2"):
    source = json.dumps({"repo": ENCODER, "revision": commit})
    fetch_encoder.main(["--source", source, "--layer", layer, "--output", str(tmp_path / "encoder")])
    return load_encoder(tmp_path / "encoder", layer=int(layer))


def test_clip_and_siglip_come_from_the_hub_whole_and_by_pickled_weights_too(hub, waits, tmp_path):
    torch.manual_seed(0)
    text = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    clip = CLIPModel(CLIPConfig(text_config=text | {"vocab_size": 99}, vision_config=TOWER, projection_dim=8))
    clip.save_pretrained(tmp_path / "clip")
    how = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.3, 0.3, 0.3], "do_center_crop": True}
    (tmp_path / "clip/preprocessor_config.json").write_text(json.dumps(how))
    pickled = io.BytesIO()
    torch.save(clip.state_dict(), pickled)
    pictures = [np.random.default_rng(n).integers(0, 256, (30, 26, 3), dtype=np.uint8) for n in range(2)]
    states = []
    for drop, more in (((), {}), (("model.safetensors",), {"pytorch_model.bin": pickled.getvalue()})):
        encoder = fetch(tmp_path, publish(hub, tmp_path / "clip", drop=drop, more={"flax_model.msgpack": b""} | more))
        assert encoder.mean == (0.5, 0.4, 0.3) and encoder.n_patches == 9
        states.append(encode(encoder, pictures))
    assert torch.equal(*states)
    pixels = torch.stack([pixels_of(encoder, one) for one in pictures])
    with torch.no_grad():
        hidden = clip.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states
    assert torch.allclose(states[0], hidden[-2][:, 1:], atol=1e-5)
    asked = {request.path.rpartition("/")[2] for request in hub.requests if "/resolve/" in request.path}
    assert "flax_model.msgpack" not in asked and "preprocessor_config.json" in asked
    SiglipVisionModel(SiglipVisionConfig(**TOWER)).save_pretrained(tmp_path / "siglip")
    assert encode(fetch(tmp_path, publish(hub, tmp_path / "siglip")), pictures).shape == (2, 9, 16)


def test_a_repository_without_an_encoder_or_layer_is_refused_and_nothing_is_written(hub, waits, tmp_path, checkpoint):
    with pytest.raises(UserError, match="the encoder in .* cannot be read: it holds a model of type 'llama'\nhint: "):
        fetch(tmp_path, publish(hub, checkpoint))
    SiglipVisionModel(SiglipVisionConfig(**TOWER)).save_pretrained(tmp_path / "siglip")
    commit = publish(hub, tmp_path / "siglip")
    with pytest.raises(UserError, match="pictures.layer: -9 is no layer of an encoder with 3\nhint: "):
        fetch(tmp_path, commit, layer="-9")
    with pytest.raises(UserError, match="has no weights in a supported format; it has config.json\nhint: "):
        fetch(tmp_path, publish(hub, tmp_path / "siglip", drop=("model.safetensors",)))
    assert not (tmp_path / "encoder").exists()
