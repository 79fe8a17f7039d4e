"""The gate of a series: the loss on one text must fall along it."""

from typing import Any

from ripeness.runtime.errors import UserError

# More than the noise between neighbours on a thousand tokens, which are the same for all: worth a remark.
REMARK = 0.3
# A spike in training costs a nat for a while, and the run recovers. A checkpoint that has lost a nat and more than half
# of what the series had learned by then (guessing less the best loss so far) was converted wrongly.
LOST_NATS = 1.0
LOST_SHARE = 0.5


def check_falling(rows: list[dict[str, Any]], *, may_refuse: bool) -> list[dict[str, Any]]:
    """Make rows (series, checkpoint, tokens, loss, guessing), with a remark where the loss is above an earlier one.

    UserError, if it may refuse, for one that has lost what earlier ones had learned; a training done here may do so.
    """
    checked, best = [], None
    for row in sorted(rows, key=lambda row: (row["tokens"], row["loss"])):
        remark = None
        if best is not None and row["loss"] > best["loss"] + REMARK:
            remark = f"loss {row['loss']:.2f}, {best['checkpoint']} before it had {best['loss']:.2f}"
            lost, learned = row["loss"] - best["loss"], row["guessing"] - best["loss"]
            if may_refuse and lost > max(LOST_NATS, LOST_SHARE * learned):
                raise UserError(
                    f"the checkpoint {row['checkpoint']} of {row['series']} has a loss of {row['loss']:.2f} nats a "
                    f"token on the gate's text, {best['checkpoint']} before it had {best['loss']:.2f}, guessing has "
                    f"{row['guessing']:.2f}: it has lost {lost:.2f} of {learned:.2f}\n"
                    "hint: it was converted wrongly, or is the checkpoint of another run; or "
                    f"{best['checkpoint']} holds the weights of a later step: leave the wrong one out, or take another "
                    "revision; accept_loss: true where the training is known to have broken"
                )
        checked.append(row | {"remark": remark})
        if best is None or row["loss"] < best["loss"]:
            best = row
    return checked
