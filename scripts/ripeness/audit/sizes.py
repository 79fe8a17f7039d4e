"""The check of how many items every role of a dataset has (see audit.py)."""

from collections.abc import Iterator

from ripeness.audit.drawn_items import Drawing
from ripeness.data.items import ROLES, source_of
from ripeness.data.role_shares import ALL
from ripeness.study.audit_checks import Remark, counted, remark

LEAST = 0.5  # share of the items wanted; less is fatal


def fewer_items(drawing: Drawing) -> Iterator[Remark]:
    """Find roles with fewer items than requested; fatal below half of what is used, or with too few shots.

    Says where one source serves several roles, and so was split. A view that keeps a part of another task's items has
    fewer by its nature.
    """
    if drawing.task.view_of and drawing.task.keep and any(drawing.items.values()):
        return
    wanted = {role: drawing.sizes[role] for role in ROLES if drawing.sizes[role] < ALL}
    missing = {role: len(drawing.items[role]) for role, n in wanted.items() if len(drawing.items[role]) < n}
    if not missing:
        return
    seen = ", ".join(f"{n:,} of {wanted[role]:,} {role} items" for role, n in missing.items())
    is_used = {"test": True, "shots": drawing.n_shots > 0} | dict.fromkeys(("train", "validation"), drawing.is_tuned)
    is_fatal = any(is_used[role] and n < LEAST * wanted[role] for role, n in missing.items())
    if missing.get("shots", drawing.n_shots) < drawing.n_shots:
        seen, is_fatal = f"{seen} (prompts have {drawing.n_shots:,} shots)", True
    seen += "".join(shared_sources(drawing, list(missing)))
    yield remark("fewer-items", drawing.dataset, seen, severity="fatal" if is_fatal else None)


def shared_sources(drawing: Drawing, missing: list[str]) -> Iterator[str]:
    """Find sources that were too small for all their roles, and so were split among them."""
    roles_of: dict[str, list[str]] = {}
    for role in ROLES:
        if role != "shots" or drawing.sizes.get("shots_from") != "test":
            roles_of.setdefault(source_of(role, drawing.task), []).append(role)
    for source, roles in roles_of.items():
        if len(roles) > 1 and set(roles) & set(missing):
            n = sum(len(drawing.items[role]) for role in roles)
            names = f"{', '.join(roles[:-1])} and {roles[-1]}"
            yield f"; {source} serves {names}, and its {counted(n, 'usable row')} are split in proportion"
