"""Download files of one commit of a repository into the hub's own cache: whole, resumed where cut off, and checked.

Large files (those that the hub keeps apart, with a sha256) come by plain HTTP into the place where huggingface_hub
looks for them, `blobs/<sha256>` of its cache. The library itself (2.4.0) starts such a file again whenever its process
was ended or the connection was reset, and compares sizes only. Everything else is left to it.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import WeakFileLock, build_hf_headers, disable_progress_bars

from ripeness.hub.retry import DISK, Damaged, as_a_hub_answers, is_inner, misled, patiently
from ripeness.hub.target import Target
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import sync_one

logger = logging.getLogger(__name__)

MOST_FILES = 500_000  # of a commit; the hub itself advises against more than a fifth
AT_ONCE = 2  # small files; large ones come one by one, and jobs that fetch are few as well (`hub` in rules/)
RANGE_NOT_SATISFIABLE = 416
BLOCK = 2**22  # bytes that are hashed at a time
SHA256, GIT_HASH = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def list_files(target: Target, commit: str) -> dict[str, RepoFile]:
    """Return the files of a commit by path: size, and sha256 or git's hash."""

    def ask() -> dict[str, RepoFile]:
        files: dict[str, RepoFile] = {}
        with as_a_hub_answers(target):
            for file in HfApi().list_repo_tree(target.name, recursive=True, revision=commit, repo_type=target.kind):
                if isinstance(file, RepoFile):
                    check_entry(target, file)
                    check_new(target, file, files)
                    files[file.path] = file
        return files

    found: dict[str, RepoFile] = patiently(target, ask)
    return found


def check_new(target: Target, file: RepoFile, files: dict[str, RepoFile]) -> None:
    """Refuse a file that is listed twice, and more files than a repository has: such a list may have no end."""
    if file.path in files:
        raise misled(target, f"a file is listed twice, {file.path!r:.80}")
    if len(files) >= MOST_FILES:
        raise misled(target, f"it lists more than {MOST_FILES:,} files")


def check_entry(target: Target, file: RepoFile) -> None:
    """Refuse a file whose path or hash would lead out of the cache, where both are names of files.

    The list is not trusted: HF_ENDPOINT may be any server.
    """
    if not isinstance(file.path, str) or not is_inner(file.path):
        raise misled(target, f"a file is named {file.path!r:.80}")
    if file.lfs and not SHA256.fullmatch(str(file.lfs.sha256)):
        raise misled(target, f"the sha256 of {file.path} is {str(file.lfs.sha256)[:80]!r}")
    if not GIT_HASH.fullmatch(str(file.blob_id)):
        raise misled(target, f"the hash of {file.path} is {str(file.blob_id)[:80]!r}")
    for size in (file.size, *([file.lfs.size] if file.lfs else [])):
        if type(size) is not int or size < 0:
            raise misled(target, f"the size of {file.path} is {size!r}")


def download(target: Target, commit: str, files: Iterable[RepoFile]) -> Path:
    """Download files of a commit and check sizes and hashes; the folder that holds them by their paths."""
    disable_progress_bars()  # this goes to a log
    wanted = list(files)
    storage = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=target.name, repo_type=target.kind)
    large = [
        (file, file.lfs.sha256) for file in wanted if file.lfs and not (storage / "blobs" / file.lfs.sha256).exists()
    ]
    check_space(target, storage, sum(file.size for file, _ in large))
    place = {"repo": target.name, "kind": target.kind, "commit": commit}
    for file, sha256 in large:
        patiently(target.at(file.path), fetch_large, file, sha256, storage=storage, **place)
    fresh = {file.path for file, _ in large}
    return patiently(target, lay_out, wanted, fresh=fresh, **place)


def check_space(target: Target, storage: Path, n_bytes: int) -> None:
    """Refuse a download for which there is no room."""
    storage.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(storage).free
    if n_bytes > free:
        raise UserError(
            f"{target} cannot be fetched: it needs {n_bytes / 1e9:.1f} GB and {free / 1e9:.1f} GB are free in "
            f"{storage}\nhint: {DISK}"
        )


def fetch_large(file: RepoFile, sha256: str, *, storage: Path, repo: str, kind: str, commit: str) -> None:
    """Download one large file, from where an earlier attempt was cut off."""
    blob = storage / "blobs" / sha256
    part = blob.with_name(f"{blob.name}.part")
    blob.parent.mkdir(parents=True, exist_ok=True)
    locks = storage.parent / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(locks / f"{part.name}.lock"):
        if blob.exists():  # another job has fetched it in the meantime
            return
        if part.exists() and part.stat().st_size > file.size:
            part.unlink()
        url = hf_hub_url(repo, file.path, repo_type=kind, revision=commit)
        place = get_hf_file_metadata(url).location
        headers = build_hf_headers()
        if urlsplit(place).netloc != urlsplit(url).netloc:
            headers.pop("authorization", None)  # a signed address elsewhere; the token is the hub's alone
        with part.open("ab") as target:
            start = target.tell()
            logger.info("%s: %.1f MB%s", file.path, file.size / 1e6, f", from byte {start} on" if start else "")
            try:
                http_get(place, target, resume_size=start, headers=headers, expected_size=file.size)
            except HfHubHTTPError as error:
                if error.response.status_code == RANGE_NOT_SATISFIABLE:
                    raise Damaged(f"{file.path} ends at byte {start}, the hub says at {file.size}") from error
                raise
        if (found := sha256_of(part)) != sha256:
            part.unlink()
            raise Damaged(f"{file.path} has the sha256 {found[:12]}..., the hub says {sha256[:12]}...")
        sync_one(part)
        os.replace(part, blob)


def lay_out(wanted: list[RepoFile], *, fresh: set[str], repo: str, kind: str, commit: str) -> Path:
    """Have the library fetch what is small and link all files by their paths; check those that are not fresh."""
    paths = [file.path for file in wanted]
    folder = Path(snapshot_download(repo, revision=commit, repo_type=kind, allow_patterns=paths, max_workers=AT_ONCE))
    for file in wanted:
        if file.path not in fresh and (reason := difference(folder / file.path, file)):
            forget(folder / file.path)
            raise Damaged(f"{file.path} {reason}")
    return folder


def difference(path: Path, file: RepoFile) -> str | None:
    """Say how a file differs from the hub's list; None if it does not."""
    if not path.is_file():
        return "has not come"
    if path.stat().st_size != file.size:
        return f"has {path.stat().st_size} bytes, the hub says {file.size}"
    if file.lfs:
        return None if sha256_of(path) == file.lfs.sha256 else f"has not the sha256 {file.lfs.sha256[:12]}..."
    content = path.read_bytes()
    found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()  # as git does
    return None if found == file.blob_id else f"has not the hash {file.blob_id[:12]}..."


def forget(path: Path) -> None:
    """Remove a damaged file from the cache, and what it is a link to."""
    target = path.resolve()
    if path.is_symlink() and target.parent.name == "blobs" and target.parents[1] in path.absolute().parents:
        target.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Compute the digest of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
