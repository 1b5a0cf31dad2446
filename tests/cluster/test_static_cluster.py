"""A cluster of hosts that share one folder, and nothing else."""

import pytest
import yaml

from tests.cluster.hosts import SHARED, hosts
from tests.tiny_experiment import TIERED

# On the head's own /tmp, which no other host sees.
OWN_MODEL = "/tmp/own-model"
COPY_MODEL = f"""
import shutil
from rarecall.trainables.models.tiny import tiny_folder
shutil.copytree(tiny_folder("tiny-byt5"), "{OWN_MODEL}")
"""


def experiment(base):
    return {
        **TIERED,
        "data": {**TIERED["data"], "path": str(SHARED / "articles.jsonl")},
        "model": {**TIERED["model"], "base": base, "adapter": "none"},
        "search": {"trials": 2, "stop_early": None, "baselines": False},
        "resources": {"slots": 2},
        "storage": {"path": str(SHARED / "runs")},
    }


@pytest.mark.parametrize("base", ["tiny-byt5", OWN_MODEL])
def test_trials_run_on_hosts_that_share_a_folder_and_nothing_else(tmp_path, base):
    """The base model is built where it is needed, or travels; the head itself trains nothing."""
    shared = tmp_path / "shared"
    shared.mkdir()
    with hosts(3, tmp_path, shared) as (head, worker, other):
        head.run("rarecall", "generate", "-o", SHARED / "articles.jsonl", "--rows", 160)
        head.run("python", "-c", COPY_MODEL)
        (shared / "tiny.yaml").write_text(yaml.safe_dump(experiment(base), sort_keys=False))
        head.ray("--num-cpus=0")
        worker.ray("--num-cpus=1")
        other.ray("--num-cpus=1")
        head.run("rarecall", "tune", SHARED / "tiny.yaml", "--address", "auto")
        told = other.run("rarecall", "leaderboard", SHARED / "runs" / "tiny", "--json")
        assert told.count('"status": "completed"') == 2
        ledger = (shared / "runs" / "tiny" / "ledger.jsonl").read_text()
        assert f'"node":"{worker.address}"' in ledger
        assert f'"node":"{other.address}"' in ledger
        assert f'"node":"{head.address}"' not in ledger
