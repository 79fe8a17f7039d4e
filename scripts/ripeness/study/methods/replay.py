"""Check the settings of replay: pre-training text that a training of any kind reads again."""

from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Study, methods_of, tuned_series


def check_replay(study: Study, method: str) -> None:
    """Refuse to replay no text, one that nothing reads, or one on which models are measured."""
    replay, config = study.config["methods"][method].get("replay"), study.config
    if replay is None:
        return
    where = f"methods.{method}.replay"
    tuned = [name for name in tuned_series(study) if method in methods_of(study, name)]
    others = [name for name in tuned if "pretrain" not in config["series"][name]]
    if "text" not in replay and others:
        raise UserError(
            f"{where}: what did {', '.join(others)} learn from? it was not pre-trained here\n"
            "hint: name a UTF-8 file of such text under `text`"
        )
    if "text" in replay and not others:
        raise UserError(
            f"{where}.text: all series were pre-trained here, and read again what they learned from\n"
            "hint: take `text` out"
        )
    for name, text in config["texts"].items():
        if "path" in text and "text" in replay and Path(text["path"]).resolve() == Path(replay["text"]).resolve():
            raise UserError(
                f"{where}.text: {replay['text']} is the text {name!r}, on which models are measured\n"
                "hint: name another file; a text that was trained on says nothing of what is forgotten"
            )
