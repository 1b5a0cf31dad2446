"""Ctrl-C while the study is written."""

import os
import signal
import threading

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from rarecall.analysis.criteria.goal import Goal
from rarecall.search.engine.interrupts import interrupts_deferred
from rarecall.search.engine.searcher import STUDY_NAME, TrialSearcher, TrialSpace
from tests.idle_session import idle_config


def press():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def hearing():
    """What runs in the background of a shell ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_takes_effect_at_the_end_and_afterwards_at_once():
    done = []

    def work():
        press()
        done.append("done")

    with pytest.raises(KeyboardInterrupt):
        interrupts_deferred()(work)()
    assert done == ["done"]
    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["done"]


def test_other_threads_have_no_signals_to_defer():
    done = []

    @interrupts_deferred()
    def work():
        done.append(threading.current_thread().name)

    thread = threading.Thread(target=work, name="other")
    thread.start()
    thread.join()
    assert done == ["other"]


def test_a_study_that_is_being_written_is_whole_afterwards(tmp_path, monkeypatch):
    journal = tmp_path / "optuna.journal"
    searcher = TrialSearcher(
        TrialSpace({}, lambda params: idle_config("t0001")),
        Goal(),
        trials=1,
        seed=0,
        journal=journal,
    )
    unlink = os.unlink

    def pressed_while_the_lock_is_released(path, *args, **kwargs):
        unlink(path, *args, **kwargs)
        press()

    monkeypatch.setattr(os, "unlink", pressed_while_the_lock_is_released)
    with pytest.raises(KeyboardInterrupt):
        searcher.suggest("1")
    monkeypatch.undo()
    storage = JournalStorage(JournalFileBackend(str(journal)))
    (trial,) = optuna.load_study(study_name=STUDY_NAME, storage=storage).trials
    assert trial.state.name == "RUNNING"
