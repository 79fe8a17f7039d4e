"""Scores of untouched checkpoints."""

import json

from drawn import frame_of

from ripeness.figures.register import BY_ID


def test_annealed_checkpoint_has_another_mark_and_no_line(synthetic_study):
    frame = frame_of("learned-in-pretraining", synthetic_study)
    assert set(frame.filter("is_alone")["label"]) == {"6M annealed"}
    text = json.dumps(BY_ID["learned-in-pretraining"].chart(frame).to_dict(validate=False))
    assert '"diamond"' in text and "datum.is_alone" in text
