"""The smallest study that tunes: one format, one method, one seed and eight examples."""

SMALLEST = {
    "formats": ["default"],
    "methods": {
        "base": {"shots": [0]},
        "full": {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 8},
    },
    "seeds": [1],
    "items": {"train": 8, "validation": 2, "test": 6, "shots": 2},
    "suites": {"own": {"datasets": "own", "formats": "trained"}},
}
