import pytest

from rarecall.analysis.errors import RunError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.run import Run
from rarecall.search.engine.folder.run_folder import RunFolder, find_run, open_run
from rarecall.search.experiment.yaml_file import read_yaml

TREE = {"name": "small", "data": {"path": "/somewhere/rows.jsonl"}}


@pytest.fixture
def started(tmp_path):
    """A run with a ledger and something of its results."""
    folder = open_run(tmp_path / "runs" / "small", TREE, resume=False, overwrite=False)
    folder.ledger.write_text('{"kind": "run"}\n')
    (folder.path / "checkpoints" / "slot-1" / "t0001-epoch-001").mkdir(parents=True)
    return folder


def test_a_new_run_keeps_its_experiment_beside_the_ledger(tmp_path):
    folder = open_run(tmp_path / "runs" / "small", TREE, resume=False, overwrite=False)
    assert read_yaml(folder.experiment) == TREE
    assert (folder.ledger.parent, folder.experiment.parent) == (folder.path, folder.path)
    assert not folder.ledger.exists()


def test_a_folder_without_a_ledger_is_no_run_and_may_be_used(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "notes.txt").write_text("mine")
    folder = open_run(tmp_path / "small", TREE, resume=False, overwrite=False)
    assert (folder.path / "notes.txt").read_text() == "mine"


def test_a_run_that_is_there_is_never_taken_up_or_deleted_unasked(started):
    with pytest.raises(RunError, match=r"small: a run exists already; --resume .* --overwrite"):
        open_run(started.path, TREE, resume=False, overwrite=False)
    assert started.ledger.read_text() == '{"kind": "run"}\n'


def test_resuming_keeps_everything(started):
    again = open_run(started.path, TREE, resume=True, overwrite=False)
    assert again == started
    assert started.ledger.read_text() == '{"kind": "run"}\n'
    assert (started.path / "checkpoints" / "slot-1" / "t0001-epoch-001").is_dir()


def test_resuming_leaves_the_experiment_alone_until_it_is_known_to_fit(started):
    """The data may turn out to have changed, and the export must still find those of the run."""
    changed = {**TREE, "data": {"path": "/elsewhere/rows.jsonl"}}
    again = open_run(started.path, changed, resume=True, overwrite=False)
    assert read_yaml(started.experiment) == TREE
    again.write_experiment(changed)
    assert read_yaml(started.experiment) == changed


def test_overwriting_leaves_nothing_of_the_former_run(started):
    open_run(started.path, {**TREE, "name": "other"}, resume=False, overwrite=True)
    assert [path.name for path in started.path.iterdir()] == ["experiment.yaml"]
    assert read_yaml(started.experiment)["name"] == "other"


def test_there_must_be_a_run_to_resume(tmp_path):
    with pytest.raises(RunError, match="no run to resume; leave --resume out"):
        open_run(tmp_path / "small", TREE, resume=True, overwrite=False)
    assert not (tmp_path / "small").exists()


def test_a_folder_that_cannot_be_made_is_told_with_the_key_that_places_it(tmp_path):
    (tmp_path / "runs").write_text("a file where a folder is needed")
    with pytest.raises(RunError, match=r"small: cannot be written \(Not a directory\); set storage.path"):
        open_run(tmp_path / "runs" / "small", TREE, resume=False, overwrite=False)


def test_only_folders_with_a_ledger_are_runs(started, tmp_path):
    assert find_run(started.path) == started
    with pytest.raises(RunError, match=r"is not a run folder \(no ledger.jsonl\)"):
        find_run(tmp_path)


def test_a_removed_checkpoint_takes_its_empty_slot_along_and_nothing_else(started):
    slot = started.path / "checkpoints" / "slot-1"
    (slot / "t0001-epoch-002").mkdir()
    (slot / "t0001-epoch-002" / "adapter_model.safetensors").write_bytes(b"0")
    started.remove_checkpoint("checkpoints/slot-1/t0001-epoch-002")
    assert [path.name for path in slot.iterdir()] == ["t0001-epoch-001"]
    started.remove_checkpoint("checkpoints/slot-1/t0001-epoch-001")
    assert not slot.exists()
    started.remove_checkpoint("checkpoints/slot-1/t0001-epoch-001")
    assert started.ledger.exists()


def test_the_predictions_of_a_removed_checkpoint_are_kept_and_found_again(started):
    checkpoint = started.path / "checkpoints" / "slot-1" / "t0001-epoch-002"
    checkpoint.mkdir()
    (checkpoint / "predictions.parquet").write_bytes(b"all of them")
    (checkpoint / "adapter_model.safetensors").write_bytes(b"0")
    run = Run(started.path, ({},), {}, [], (), LabelSpace(("a", "b"), ("b",)), "minority_recall")
    told = "checkpoints/slot-1/t0001-epoch-002/predictions.parquet"
    assert run.predictions_path(told) == started.path / told
    started.remove_checkpoint("checkpoints/slot-1/t0001-epoch-002")
    assert not checkpoint.exists()
    assert run.predictions_path(told).read_bytes() == b"all of them"


def test_a_run_folder_is_its_path(tmp_path):
    assert RunFolder(tmp_path).ledger == tmp_path / "ledger.jsonl"
