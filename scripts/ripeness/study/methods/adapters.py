"""Describe settings that several kinds of adapters have."""

RANK = {"description": "Rank of the adapters.", "minimum": 1, "maximum": 10000}
ALPHA = {
    "description": "Scale of the adapters: the product of their matrices is multiplied by alpha / rank.",
    "exclusiveMinimum": 0,
    "maximum": 100000,
}
MODULES = {
    "description": (
        "Last names of the layers that are changed, such as q_proj. Default: all linear layers of the blocks; of ia3 "
        "those of keys and values, and the last one of the feed-forward part."
    ),
    "items": {"type": "string", "minLength": 1},
    "uniqueItems": True,
    "minItems": 1,
}
NO_PULL = (
    "`pull` holds weights near those of the checkpoint, but a kind with adapters leaves these as they are\n"
    "hint: take out `pull`, or kind: full; fewer or smaller adapters also keep a model near its start"
)
NO_START = (
    "what it has learned does not become weights of a model, and would be lost\n"
    "hint: start from a method of a kind that merges, such as full or lora"
)
