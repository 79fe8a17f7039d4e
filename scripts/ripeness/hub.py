"""The one door to the hub's datasets: a split at a pinned commit; no code of the repository is run."""

from typing import TYPE_CHECKING

from ripeness.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset


def dataset_split(name: str, config: str | None, split: str, revision: str) -> "Dataset":
    """Download (or find in the local cache) one split of a dataset; UserError where it cannot be had."""
    import datasets  # slow to import, and needed only where something is fetched

    try:
        return datasets.load_dataset(name, config, split=split, revision=revision)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"the dataset {name} ({config or 'no config'}, {split}, {revision[:12]}) cannot be fetched: {reason}\n"
            "hint: fetching needs the network; without it, name files on disk under `source` (train, validation, test)"
        ) from None
