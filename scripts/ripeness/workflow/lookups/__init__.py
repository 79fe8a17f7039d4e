"""Give each rule its input files and parameters: module x serves rules/x.smk, and `shared` serves several."""

from ripeness.workflow.lookups import (
    analyse,
    anneal,
    audit,
    collect,
    fetch,
    keep,
    measure,
    perturb,
    prepare,
    pretrain,
    provenance,
    report,
    shared,
    texts,
    theory,
    train,
)

__all__ = [
    "analyse",
    "anneal",
    "audit",
    "collect",
    "fetch",
    "keep",
    "measure",
    "perturb",
    "prepare",
    "pretrain",
    "provenance",
    "report",
    "shared",
    "texts",
    "theory",
    "train",
]
