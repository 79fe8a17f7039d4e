"""Downloads of checkpoints from a hub on loopback: complete, resumed, repeated or refused."""

import shutil
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hub_fixtures import BRANCH, MODEL, fetch, sent, source_of
from huggingface_hub import constants
from loopback_hub import Fault

from ripeness.hub import retry
from ripeness.hub.checkpoint_folder import checkpoint_folder
from ripeness.hub.client import list_refs
from ripeness.models.load import load_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json


def test_only_what_is_needed_is_downloaded_and_the_facts_name_the_commit(hub, files, tmp_path, waits):
    commit = hub.repository(MODEL).add(BRANCH, files)
    output = fetch(tmp_path, source_of(hub))
    facts = read_json(output / "checkpoint.json")
    assert (facts["repo"], facts["revision"], facts["commit"]) == (MODEL, BRANCH, commit)
    assert facts["gate"]["loss"] > 0 and facts["n_parameters"]
    assert load_model(output).num_parameters() == facts["n_parameters"]
    asked = {request.path.rpartition("/")[2] for request in hub.requests if "/resolve/" in request.path}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= asked
    assert not asked & {"optimizer.bin", "model.onnx", "flax_model.msgpack", "pytorch_model.bin", "modeling_x.py"}
    assert len(sent(hub)) == 1 and not waits
    # a second study finds everything in the cache
    hub.requests.clear()
    shutil.rmtree(output)
    fetch(tmp_path, source_of(hub))
    assert not sent(hub)


@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
def test_a_download_that_was_cut_off_goes_on_and_sends_no_byte_twice(hub, files, waits, is_reset):
    hub.repository(MODEL).add(BRANCH, files)
    size = len(files["model.safetensors"])
    hub.faults = [Fault("/cdn/", cut=20_000, is_reset=is_reset), Fault("/cdn/", cut=5_000, is_reset=is_reset)]
    folder = checkpoint_folder(source_of(hub))
    assert (folder / "model.safetensors").read_bytes() == files["model.safetensors"]
    assert [request.range for request in sent(hub)] == [None, "bytes=20000-", "bytes=25000-"]
    assert sum(request.sent for request in sent(hub)) == size


def test_a_download_whose_process_ended_goes_on_in_the_next(hub, files, waits, monkeypatch):
    hub.repository(MODEL).add(BRANCH, files)

    def killed(*_, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        hub.faults = [Fault("/cdn/", cut=30_000)]
        patch.setattr("huggingface_hub.file_download.time.sleep", killed)
        checkpoint_folder(source_of(hub))
    hub.requests.clear()
    checkpoint_folder(source_of(hub))
    assert [request.range for request in sent(hub)] == ["bytes=30000-"]


def test_a_busy_hub_is_asked_again_when_it_says_and_later_each_time(hub, files, waits):
    hub.repository(MODEL).add(BRANCH, files)
    hub.faults = [Fault("/tree/", status=429, retry_after="7"), Fault("/refs", times=3, status=500)]
    hub.faults += [
        Fault("/resolve/config.json", method="HEAD", times=2, status=503),
        Fault("/cdn/", times=2, status=503),
    ]
    checkpoint_folder(source_of(hub))
    assert 7 <= waits[0] <= 7 * 1.5 + 1
    waits.clear()
    assert list_refs(MODEL, "model") == {BRANCH: hub.repos["model", MODEL].branches[BRANCH]}
    assert len(waits) == 3
    assert all(2**n <= wait <= 2**n * 1.5 for n, wait in enumerate(waits))


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "12"}, 12, 12),
        ({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)}, 43200, 86400),
        ({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0, 0),
        ({"RateLimit": '"api";r=0;t=55', "Retry-After": "1"}, 55, 55),
    ],
)
def test_the_wait_that_a_hub_asks_for_is_read(headers, least, most):
    assert least <= retry.asked_wait(httpx2.Headers(headers)) <= most
    assert retry.asked_wait(httpx2.Headers({"Retry-After": "soon"})) is None


def test_a_hub_that_stays_busy_ends_in_words(hub, files, waits):
    hub.repository(MODEL).add(BRANCH, files)
    hub.faults = [Fault("/refs", times=99, status=429, retry_after="3600")]
    with pytest.raises(UserError, match=r"tiny-model cannot.*keeps answering 429\nhint: .*HF_TOKEN"):
        list_refs(MODEL, "model")
    assert len(waits) == retry.ATTEMPTS - 1 and 900 <= min(waits) <= max(waits) <= 900 * 1.5


@pytest.mark.parametrize("times", [1, 99])
def test_a_file_with_other_bytes_is_fetched_again_and_at_last_refused(hub, files, waits, times):
    hub.repository(MODEL).add(BRANCH, files)
    hub.faults = [Fault("/cdn/", times=times, swap=True)]
    if times == 1:
        folder = checkpoint_folder(source_of(hub))
        assert (folder / "model.safetensors").read_bytes() == files["model.safetensors"]
        return
    with pytest.raises(UserError, match=r"model.safetensors has the sha256 [0-9a-f]{12}.*\nhint: .*HF_ENDPOINT"):
        checkpoint_folder(source_of(hub))


@pytest.mark.parametrize("times", [1, 99])
def test_a_file_of_another_size_is_completed_or_at_last_refused(hub, files, waits, times):
    hub.repository(MODEL).add(BRANCH, files)
    hub.faults = [Fault("/cdn/", times=times, short=7)]
    if times == 1:
        folder = checkpoint_folder(source_of(hub))
        assert (folder / "model.safetensors").read_bytes() == files["model.safetensors"]
        assert sum(request.sent for request in sent(hub)) == len(files["model.safetensors"])
        return
    with pytest.raises(UserError, match=r"model.safetensors ends at byte \d+, the hub says at \d+\nhint: "):
        checkpoint_folder(source_of(hub))


def test_a_damaged_file_in_the_cache_is_noticed_and_replaced(hub, files, waits):
    hub.repository(MODEL).add(BRANCH, files)
    folder = checkpoint_folder(source_of(hub))
    for name in ("model.safetensors", "config.json"):
        whole = (folder / name).read_bytes()
        (folder / name).resolve().write_bytes(whole[:-1] + b"?")
    folder = checkpoint_folder(source_of(hub))
    assert all((folder / name).read_bytes() == files[name] for name in ("model.safetensors", "config.json"))


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, files, monkeypatch, waits):
    hub.repository(MODEL).add(BRANCH, files)
    hub.repos["model", MODEL].is_gated = True
    with pytest.raises(UserError, match=rf"on request only\nhint: agree to its terms at {hub.address}/{MODEL}, then"):
        checkpoint_folder(source_of(hub))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    checkpoint_folder(source_of(hub))
    assert {request.token for request in sent(hub)} == {None}
    assert {request.token for request in hub.requests if "/tree/" in request.path} == {None, "Bearer hf_secret"}
    assert not waits  # nothing of this is a matter of patience


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"repo": "someone/nothing"}, "there is no such repository, or it is private\nhint: .*HF_TOKEN"),
        ({"commit": "1" * 40}, "the repository has no such revision\nhint: .*make resolve UPDATE=1"),
        ({"commit": None}, "'step9-tokens1B' of someone/tiny-model is not resolved to a commit.*\nhint: make resolve"),
    ],
)
def test_what_is_not_there_is_said_at_once(hub, files, waits, more, message):
    hub.repository(MODEL).add(BRANCH, files)
    with pytest.raises(UserError, match=message):
        checkpoint_folder(source_of(hub, **more))
    assert not waits


def test_a_repository_without_weights_that_are_read_is_refused(hub, files, waits):
    del files["model.safetensors"], files["pytorch_model.bin"]
    hub.repository(MODEL).add(BRANCH, files)
    with pytest.raises(UserError, match=r"has no weights in a supported format; it has .*flax_model.msgpack"):
        checkpoint_folder(source_of(hub))


def test_without_network_and_offline_the_way_out_is_named(hub, files, waits, monkeypatch):
    hub.repository(MODEL).add(BRANCH, files)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127.0.0.1:9 cannot be reached: .*\nhint: .*login node.*`path`"):
        checkpoint_folder(source_of(hub))
    assert sum(waits) < 60
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="tiny-model at step9.* cannot be fetched"):
        checkpoint_folder(source_of(hub))


def test_without_room_nothing_is_started(hub, files, waits, monkeypatch):
    hub.repository(MODEL).add(BRANCH, files)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(UserError, match=r"needs 0.0 GB and 0.0 GB are free in .*\nhint: .*HF_HOME"):
        checkpoint_folder(source_of(hub))
    assert not sent(hub)
