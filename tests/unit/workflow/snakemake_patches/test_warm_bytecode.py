"""Where Python may not write bytecode next to the code, warm jobs compile the code once and not each."""

import os
import sys

import pytest
from warm_jobs import run, write_program

from ripeness.workflow.snakemake_patches.warm import start as warm


@pytest.fixture(scope="module")
def without_bytecode(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", os.environ | warm.ONE_THREAD | {"PYTHONDONTWRITEBYTECODE": "1"})
        server = warm.start(["json"], ["program.py"])
        yield server
        warm.stop(server)
        assert not server.folder.exists()


def test_a_module_is_compiled_once_and_again_when_it_has_changed(without_bytecode, folder):
    write_program(folder, "import part; print(part.VALUE)")
    part = folder / "scripts/part.py"
    for number, value in enumerate(["first", "second one"]):
        part.write_text(f"VALUE = {value!r}\n")
        os.utime(part, ns=(10**18 + number, 10**18 + number))  # of equal seconds: the size tells them apart
        for _ in range(2):
            assert run(folder).stdout == f"{value}\n"
        (kept,) = (without_bytecode.folder / "bytecode").rglob(f"part.{sys.implementation.cache_tag}.pyc")
    assert not list(folder.rglob("*.pyc")) and kept.is_file()
