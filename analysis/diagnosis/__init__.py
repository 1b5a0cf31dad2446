"""Why a trial or a run is not better, and what to change: the warning signs that apply, causes first."""

# Imported for their registrations, in the order in which they are told: causes, what may follow from them, the run.
from rarecall.analysis.diagnosis import cause_rules as _cause_rules  # isort: skip
from rarecall.analysis.diagnosis import symptom_rules as _symptom_rules  # isort: skip
from rarecall.analysis.diagnosis import run_rules as _run_rules  # isort: skip
from rarecall.analysis.diagnosis.signs import Case, Change, Sign, registered

__all__ = ["Case", "Change", "Sign", "applied", "diagnose"]
# Settings that decide which rows there are: with them changed, no figure could be compared with this run's.
_DATA = "data."
_RULES = (_cause_rules, _symptom_rules, _run_rules)


def diagnose(case: Case) -> tuple[Sign, ...]:
    """All signs of a case, causes before what follows from them; those of the run where the run was asked about."""
    rules = (one for one in registered() if one.about == "trial" or case.of_run)
    return tuple(sign for one in rules if (sign := one.sign(case)) is not None)


def applied(signs: tuple[Sign, ...]) -> dict[str, Change]:
    """The changes to make at once, by key: of two for the same setting the first, and none that changes the data."""
    chosen: dict[str, Change] = {}
    for sign in signs:
        for change in sign.observed.changes:
            if not change.key.startswith(_DATA):
                chosen.setdefault(change.key, change)
    return chosen
