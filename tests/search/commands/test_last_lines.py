"""The last lines of a search: the command that comes next, which is no export where there is no winner."""

from pathlib import Path

import pytest

from rarecall.search.commands import launching
from tests.small_run import make_run, some_predictions


@pytest.mark.parametrize(
    ("found", "said", "next_command"),
    [
        (1, "Winner: trial t0001", "rarecall export runs/made -o exported/made"),
        (
            0,
            "No winner: no trial that left a checkpoint found any row of a minority class.",
            "rarecall diagnose runs/made",
        ),
    ],
)
def test_the_next_command(tmp_path, monkeypatch, capsys, found, said, next_command):
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/made")
    run, _ = make_run(folder, ["recall[common] >= 0.7"], some_predictions(found=found))
    monkeypatch.setattr("rarecall.search.engine.search.run_search", lambda *_: run)
    launching._launch(None, folder, resume=False, overwrite=False, address=None)
    told = capsys.readouterr().out
    assert said in " ".join(told.split())
    assert told.splitlines()[-2:] == ["rarecall leaderboard runs/made", next_command]
