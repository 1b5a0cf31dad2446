"""A plugin file in a folder that only the driver's host has: the workers of another host get it too."""

import json

import yaml

from tests.cluster.hosts import SHARED, hosts
from tests.plugin_files import EXPERIMENT, PLUGIN, severity_rows


def test_a_worker_on_another_host_has_the_plugin(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    with hosts(2, tmp_path, shared) as (head, worker):
        own = head.folder / "project"
        own.mkdir()
        (own / "own-parts.py").write_text(PLUGIN)
        (own / "rows.jsonl").write_text("\n".join(map(json.dumps, severity_rows())))
        tree = {**EXPERIMENT, "storage": {"path": str(SHARED / "runs")}}
        (own / "own.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
        head.ray("--num-cpus=0")
        worker.ray("--num-cpus=1")
        head.run("rarecall", "tune", "/tmp/project/own.yaml", "--address", "auto")
        assert not (worker.folder / "project").exists()
        rows = [json.loads(line) for line in (shared / "runs" / "own" / "ledger.jsonl").read_text().splitlines()]
        epochs = [row for row in rows if row["kind"] == "epoch"]
        assert {row["node"] for row in epochs} == {worker.address}
        # The plugin's metric, of the plugin's task, in every epoch.
        assert all("negative_recall[high]" in row["metrics"] for row in epochs)
        head.run("rarecall", "export", SHARED / "runs" / "own", "-o", "/tmp/model", "--force")
        head.run(
            "rarecall", "predict", "/tmp/model", "/tmp/project/rows.jsonl", "-o", "/tmp/out.jsonl", "--trust-plugins"
        )
        assert len((head.folder / "out.jsonl").read_text().splitlines()) == 100
