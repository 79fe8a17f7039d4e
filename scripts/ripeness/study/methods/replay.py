"""Check the settings of replay: pre-training text that a training of any kind reads again."""

from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Study, methods_of, tuned_series


def check_replay(study: Study, method: str) -> None:
    """Refuse to replay no text, one that nothing reads, or one on which models are measured."""
    replay, config = study.settings.methods[method].get("replay"), study.settings
    if replay is None:
        return
    where = f"methods.{method}.replay"
    tuned = [name for name in tuned_series(study) if method in methods_of(study, name)]
    others = [name for name in tuned if config.series[name].pretrain is None]
    if "text" not in replay and others:
        raise UserError(
            f"{where}: the training text of {', '.join(others)} is unknown, since it was not pre-trained here\n"
            "hint: give a UTF-8 file of such text as `text`"
        )
    if "text" in replay and not others:
        raise UserError(
            f"{where}.text: all series were pre-trained here, and replay their own training text\nhint: remove `text`"
        )
    for name, text in config.texts.items():
        if text.path and "text" in replay and Path(text.path).resolve() == Path(replay["text"]).resolve():
            raise UserError(
                f"{where}.text: {replay['text']} is the text {name!r}, on which models are measured\n"
                "hint: give another file; forgetting must not be measured on text that was trained on"
            )
