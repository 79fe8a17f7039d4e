"""The last state of a model at the end of texts: what its output layer reads there, behind the last norm."""

import torch
from transformers import PreTrainedModel

from ripeness.models.forward.likelihood import by_length, right_padded
from ripeness.models.forward.packed_attention import packed_logits
from ripeness.models.forward.packing import narrows_exactly, packing
from ripeness.models.forward.padding import reads_together
from ripeness.models.forward.state_outputs import saying, width_of_states


@torch.inference_mode()
def last_states(model: PreTrainedModel, contexts: list[list[int]], *, batch_tokens: int) -> torch.Tensor:
    """Read the state at the last token of each of n contexts: (n, d) on the CPU, in single precision.

    Contexts are packed where that is exact, else padded, else read one by one.
    """
    lengths = [len(context) for context in contexts]
    width = width_of_states(model)
    found = torch.empty(len(contexts), width)
    with packing(model, max(lengths)) as is_packed:
        is_narrow = is_packed and narrows_exactly(model)
        room = batch_tokens if is_packed or reads_together(model, max(lengths)) else 1
        with saying(model, lambda states: states):
            for batch in by_length(lengths, room):
                rows = [contexts[index] for index in batch]
                read = packed_states(model, rows, is_narrow) if is_packed else padded_states(model, rows)
                found[batch] = read.float().cpu()
    return found


def packed_states(model: PreTrainedModel, rows: list[list[int]], is_narrow: bool) -> torch.Tensor:
    """Read states of contexts that lie one after the other in a row, (n, d)."""
    ends = torch.tensor([len(row) for row in rows], device=model.device).cumsum(0) - 1
    return packed_logits(model, rows, ends, is_narrow=is_narrow)


def padded_states(model: PreTrainedModel, rows: list[list[int]]) -> torch.Tensor:
    """Read states of contexts that are padded on the right, (n, d); the longest comes first."""
    lengths = torch.tensor([len(row) for row in rows], device=model.device)
    kept = int(lengths.max() - lengths.min()) + 1
    states = model(input_ids=right_padded(rows, model.device), use_cache=False, logits_to_keep=kept).logits
    places = states.shape[1] - 1 - (lengths.max() - lengths)  # some models give all of them, whatever is asked
    return states[torch.arange(len(rows), device=model.device), places]
