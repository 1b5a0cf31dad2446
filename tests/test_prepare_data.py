"""Raw public sets to the tool's input, on tiny files in the raw formats with their own hashes."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from rarecall.analysis.errors import InputError

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
DAVIDSON = b""",count,hate_speech,offensive_language,neither,class,tweet
0,3,0,1,2,2,"a calm, quoted
text of two lines"
1,4,1,2,1,1,another calm text
"""
CLINC = {
    "train": [["pay my rent", "pay_bill"], ["play a song", "play_music"]],
    "val": [["what do i owe", "pay_bill"]],
    "test": [["next song", "play_music"]],
    "oos_train": [["why is the sky blue", "oos"]],
    "oos_val": [["how tall is a giraffe", "oos"]],
    "oos_test": [["who won in 1954", "oos"], ["is glass a liquid", "oos"]],
}
DOMAINS = {"banking": ["pay_bill"], "home": ["play_music"]}
SMS = 'ham\tGo "home", ok\nspam\tYou won £5\u2028now\n'.encode()


@pytest.fixture
def prepare_data(monkeypatch):
    """The script as a module, beside its own `raw_data`."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("prepare_data", "raw_data"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import prepare_data as module  # noqa: PLC0415

    yield module
    for name in ("prepare_data", "raw_data"):
        sys.modules.pop(name, None)


@pytest.fixture
def put(prepare_data, monkeypatch, tmp_path):
    """Put a raw file into the data folder and make its hash the expected one."""
    monkeypatch.setenv("RARECALL_DATA_DIR", str(tmp_path / "raw"))

    def put_file(constant, content):
        known = getattr(prepare_data, constant)
        path = tmp_path / "raw" / known.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        file = type(known)(known.place, known.origin, hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(prepare_data, constant, file)
        return path

    return put_file


def run(prepare_data, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["prepare_data.py", *map(str, arguments)])
    return prepare_data.main()


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_votes_become_scores_from_0_to_10(prepare_data, put, monkeypatch, tmp_path):
    put("DAVIDSON", DAVIDSON)
    assert run(prepare_data, monkeypatch, "davidson", "--output", tmp_path / "out") == 0
    first, second = rows(tmp_path / "out" / "davidson_tiers.jsonl")
    # 10 · 0/3, 10 · 1/3, 10 · 2/3, and 10 · 1/4, 10 · 2/4, 10 · 1/4
    assert first.pop("text") == "a calm, quoted\ntext of two lines"
    assert first == pytest.approx({"hate": 0.0, "offensive": 10 / 3, "neither": 20 / 3}, abs=0.001)
    assert second == {"text": "another calm text", "hate": 2.5, "offensive": 5.0, "neither": 2.5}


def test_intents_become_domains_and_the_rest_is_out_of_scope(prepare_data, put, monkeypatch, tmp_path):
    put("CLINC", json.dumps(CLINC).encode())
    put("CLINC_DOMAINS", json.dumps(DOMAINS).encode())
    assert run(prepare_data, monkeypatch, "clinc", "--output", tmp_path) == 0
    labels = {
        name: [row["label"] for row in rows(tmp_path / f"clinc_{name}.jsonl")]
        for name in ("train", "validation", "test")
    }
    assert labels == {
        "train": ["banking", "home", "out_of_scope"],
        "validation": ["banking", "out_of_scope"],
        "test": ["home", "out_of_scope", "out_of_scope"],
    }
    assert rows(tmp_path / "clinc_train.jsonl")[0]["text"] == "pay my rent"


def test_messages_are_split_at_the_first_tab_and_at_line_feeds_only(prepare_data, put, monkeypatch, tmp_path):
    put("SMS", SMS)
    assert run(prepare_data, monkeypatch, "sms", "--output", tmp_path) == 0
    assert rows(tmp_path / "sms_spam.jsonl") == [
        {"text": 'Go "home", ok', "label": "ham"},
        {"text": "You won £5\u2028now", "label": "spam"},
    ]


def test_a_wrong_hash_is_refused_and_no_text_is_shown(prepare_data, put, monkeypatch, tmp_path, capsys):
    path = put("DAVIDSON", DAVIDSON)
    path.write_bytes(DAVIDSON + b"2,3,0,0,3,2,an added text\n")
    assert run(prepare_data, monkeypatch, "davidson", "--output", tmp_path / "out") == 2
    shown = capsys.readouterr()
    assert f"must have SHA-256 {hashlib.sha256(DAVIDSON).hexdigest()}" in shown.err
    assert hashlib.sha256(path.read_bytes()).hexdigest() in shown.err
    assert "text" not in shown.out + shown.err
    assert not (tmp_path / "out" / "davidson_tiers.jsonl").exists()


def test_a_missing_raw_file_is_named(prepare_data, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("RARECALL_DATA_DIR", str(tmp_path))
    assert run(prepare_data, monkeypatch, "sms", "--output", tmp_path) == 2
    assert str(tmp_path / "sms_spam" / "SMSSpamCollection") in capsys.readouterr().err


def test_a_download_that_fails_names_its_address(prepare_data, monkeypatch, tmp_path):
    raw_data = sys.modules["raw_data"]
    monkeypatch.delenv("RARECALL_DATA_DIR", raising=False)
    monkeypatch.setattr(raw_data, "CACHE", tmp_path)
    # A port that nothing listens on: the refusal is a real one and needs no network.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"raw\.githubusercontent\.com/clinc/oos-eval/828f80.*cannot be fetched"):
        raw_data.raw_bytes(raw_data.CLINC)
    assert not list(tmp_path.iterdir())


def test_addresses_and_hashes_have_their_full_form(prepare_data):
    for constant in ("DAVIDSON", "CLINC", "CLINC_DOMAINS", "SMS"):
        file = getattr(prepare_data, constant)
        assert len(file.origin.split("/")[2]) == 40
        assert len(file.sha256) == 64
