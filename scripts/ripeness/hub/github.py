"""Fetch files of a public GitHub repository at a commit, over HTTP. No code of a repository is run."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from huggingface_hub import constants
from huggingface_hub.utils import hf_raise_for_status

from ripeness.hub.retry import client, is_inner, patiently
from ripeness.hub.target import Target
from ripeness.runtime.errors import UserError

ADDRESS = "https://raw.githubusercontent.com"  # <owner>/<repository>/<commit>/<path>


def fetch_files(source: dict[str, Any], names: list[str], folder: Path) -> dict[str, Path]:
    """Download files of a task's `source` into a folder; their paths by the names that the source gives them."""
    if constants.is_offline_mode():
        raise UserError(
            f"the files of {source['github']} cannot be fetched: HF_HUB_OFFLINE is set\nhint: {by_hand(source, names)}"
        )
    paths = {}
    for name in names:
        if not is_inner(source["files"][name]):
            raise UserError(
                f"source.files.{name}: {source['files'][name]!r} leads out of the repository\n"
                "hint: give a path within it, such as data/test.jsonl"
            )
        paths[name] = folder / source["files"][name]
        paths[name].parent.mkdir(parents=True, exist_ok=True)
        paths[name].write_bytes(fetch(source, name))
    return paths


def fetch(source: dict[str, Any], name: str) -> bytes:
    """Fetch the content of one file. Raises UserError that says how to continue without it."""
    url = address(source, name)

    def ask() -> bytes:
        with client() as session:
            answer = session.get(url)
        hf_raise_for_status(answer)
        return answer.content

    try:
        return patiently(Target("file", url), ask)
    except UserError as error:
        reason = str(error).partition("\nhint: ")[0]
        raise UserError(f"{reason}\nhint: {by_hand(source, [name])}") from None


def address(source: dict[str, Any], name: str) -> str:
    """Return the address of a file."""
    return f"{ADDRESS}/{source['github']}/{source['revision']}/{quote(source['files'][name])}"


def by_hand(source: dict[str, Any], names: list[str]) -> str:
    """Say how to get the files when GitHub cannot be reached."""
    return (
        f"download {', '.join(address(source, name) for name in names)} on a machine with network, and give the files "
        "in the study: datasets: {<name>: {source: {train: ..., validation: ..., test: ...}}}; `+` joins several"
    )
