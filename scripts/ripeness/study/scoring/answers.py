"""Answers of a model to one item, prepared for the metrics that score them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.equal_options import composed, right_places, says
from ripeness.study.scoring.extraction import is_extracted_right

Values = list[float | None]


@dataclass(frozen=True)
class Choice:
    """A choice among options by their log-likelihoods in nats; `normalisation` is that of the task.

    Log-likelihoods may be null (None), where the model gave no finite number.
    """

    row: dict[str, Any]  # a prediction
    normalisation: str = "none"

    @property
    def logps(self) -> Values:
        """Log-likelihood of each option in nats."""
        return self.row["logps"]

    @cached_property
    def right(self) -> set[int]:
        """Places of the options that say what the right one says."""
        return set(right_places(self.row))

    @cached_property
    def normalised(self) -> dict[str, Values]:
        """Log-likelihoods of the options by every normalisation that the row allows."""
        return normalised(self.row)

    @cached_property
    def chosen(self) -> list[int]:
        """Places of the best options by the normalisation of the task; none where a number is missing."""
        if self.normalisation not in self.normalised:
            raise UserError(
                f"item {self.row.get('item')!r} has no log-likelihoods by {self.normalisation!r}; it has "
                f"{', '.join(self.normalised)}\n"
                "hint: `pmi` needs a probe with the key `unconditional`; predict again"
            )
        return all_best(self.normalised[self.normalisation])

    def is_right(self, normalisation: str | None = None) -> bool | None:
        """Return whether the best option is right by a normalisation (None: the task's); the first of equals counts.

        None where a number is missing, or the row does not allow this normalisation.
        """
        best = self.chosen if normalisation is None else all_best(self.normalised.get(normalisation, [None]))
        return best[0] in self.right if best else None

    @property
    def is_tie(self) -> bool | None:
        """Whether several options that say different things are best."""
        groups = says(self.row)
        return len({groups[place] for place in self.chosen}) > 1 if self.chosen else None

    @property
    def margin(self) -> float | None:
        """Lead in nats of the best right option over the best wrong one; None where no option is wrong."""
        known = [logp for logp in self.logps if logp is not None]
        wrong = [logp for place, logp in enumerate(known) if place not in self.right]
        if len(known) < len(self.logps) or not wrong:
            return None
        return max(known[place] for place in self.right) - max(wrong)


@dataclass(frozen=True)
class Text:
    """A generated text (None where the model gave no finite logits) and the right ones.

    `words` says which words ROUGE-L compares. `pattern` finds what is compared for an exact match (None: all).
    """

    row: dict[str, Any]  # a prediction
    words: str = "english"
    pattern: str | None = None

    @property
    def text(self) -> str | None:
        """The generated text."""
        return self.row["text"]

    @cached_property
    def references(self) -> list[str]:
        """The right texts, without white space around them."""
        return [reference.strip() for reference in self.row.get("references") or [self.row["target"]]]

    @property
    def is_exact(self) -> bool | None:
        """Whether the text, or what the pattern finds in it, is that of a right one in Unicode's composed form."""
        if self.pattern is not None:
            return is_extracted_right(self.row, self.pattern)
        return None if self.text is None else composed(self.text) in map(composed, self.references)


def normalised(row: dict[str, Any]) -> dict[str, Values]:
    """Make the log-likelihoods of options comparable in every way that their row allows.

    As they are; per character and per byte as lm-eval's acc_norm and acc_bytes, without the space before the option;
    per token; less the log-likelihood after an unconditional prompt, which is pointwise mutual information.
    """
    logps, options = row["logps"], without_space(row["choices"])
    lengths = {
        "character": [len(option) for option in options],
        "byte": [len(option.encode()) for option in options],
        "token": row.get("n_option_tokens"),
    }
    found = {"none": logps}
    found |= {name: [x and x / n for x, n in zip(logps, ns, strict=True)] for name, ns in lengths.items() if ns}
    if alone := row.get("logps_unconditional"):
        found["pmi"] = [None if None in pair else pair[0] - pair[1] for pair in zip(logps, alone, strict=True)]
    return found


def all_best(values: Values) -> list[int]:
    """Find the places of the largest value; none where a value is missing."""
    known = [value for value in values if value is not None]
    return [] if len(known) < len(values) else [place for place, value in enumerate(known) if value == max(known)]


def without_space(options: list[str]) -> list[str]:
    """Remove the space before each option."""
    return [option.removeprefix(" ") for option in options]
