"""Why a trial or a run is not better, and what to change: the warnings that apply, causes first."""

# Imported for their registrations, in the order in which they are told: causes, what may follow from them, the run.
from rarecall.analysis.diagnosis import cause_rules as _cause_rules  # isort: skip
from rarecall.analysis.diagnosis import symptom_rules as _symptom_rules  # isort: skip
from rarecall.analysis.diagnosis import run_rules as _run_rules  # isort: skip
from rarecall.analysis.diagnosis.rules import Case, Change, DiagnosedWarning, registered

__all__ = ["Case", "Change", "DiagnosedWarning", "applied", "diagnose"]
# Settings that decide which rows there are: with them changed, no figure could be compared with this run's.
_DATA = "data."
_RULES = (_cause_rules, _symptom_rules, _run_rules)


def diagnose(case: Case) -> tuple[DiagnosedWarning, ...]:
    """All warnings of a case, causes before what follows from them; those of the run where the run was asked about."""
    rules = (one for one in registered() if one.about == "trial" or case.of_run)
    return tuple(warning for one in rules if (warning := one.warning(case)) is not None)


def applied(warnings: tuple[DiagnosedWarning, ...]) -> dict[str, Change]:
    """The changes to make at once, by key: of two for the same setting the first, and none that changes the data."""
    chosen: dict[str, Change] = {}
    for warning in warnings:
        for change in warning.observed.changes:
            if not change.key.startswith(_DATA):
                chosen.setdefault(change.key, change)
    return chosen
