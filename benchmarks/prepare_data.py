"""Turn public data sets into the tool's input.

    python benchmarks/prepare_data.py davidson clinc … [--output data]

davidson    Tweets and how many of their annotators saw hate, an offence or neither (Davidson et al. 2017, arXiv
            1703.04009); the shares of votes are scores from 0 to 10, the majority's verdict makes hate or other.
clinc       Requests to an assistant, their 150 intents gathered into ten domains, and those out of scope (Larson et al.
            2019, arXiv 1909.02027).
sms         Text messages, ham or spam (Almeida et al. 2011).
goemotions  Comments with 27 fine emotions or none (Demszky et al. 2020, arXiv 2005.00547), and the six emotions of
            Ekman that these imply.
japanese    Japanese comments, toxic by a majority of votes or not, and whether they are written with kanji.
emobank     Sentences with valence, arousal and dominance (Buechel and Hahn 2017), brought from 1–5 to 0–10.
retina      Fundus images of 28 × 28 pixels with five grades of retinopathy (Yang et al. 2023, MedMNIST v2).

The raw files are taken from RARECALL_DATA_DIR, or fetched from where they were published.
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from raw_data import (
    CLINC,
    CLINC_DOMAINS,
    DAVIDSON,
    EMOBANK,
    GOEMOTIONS,
    GOEMOTIONS_LABELS,
    JAPANESE_TOXIC,
    RETINAMNIST,
    SMS,
    raw_bytes,
)

from rarecall.analysis.errors import RarecallError

Row = dict[str, Any]


def davidson() -> Iterator[tuple[str, Iterable[Row]]]:
    """Two files: text with the scores hate, offensive and neither; text with the label hate or other."""
    votes = {"hate": "hate_speech", "offensive": "offensive_language", "neither": "neither"}
    table = csv.DictReader(io.StringIO(raw_bytes(DAVIDSON).decode("utf-8"), newline=""))
    tweets = list(table)
    yield (
        "davidson_tiers.jsonl",
        [
            {
                "text": row["tweet"],
                **{name: round(10 * int(row[column]) / int(row["count"]), 3) for name, column in votes.items()},
            }
            for row in tweets
        ],
    )
    yield (
        "davidson_hate.jsonl",
        [{"text": row["tweet"], "label": "hate" if row["class"] == "0" else "other"} for row in tweets],
    )


def clinc() -> Iterator[tuple[str, Iterable[Row]]]:
    """Three given splits: text, and the domain of its intent or out_of_scope."""
    domain_of = {intent: name for name, intents in json.loads(raw_bytes(CLINC_DOMAINS)).items() for intent in intents}
    splits = json.loads(raw_bytes(CLINC))
    for name, key in (("train", "train"), ("validation", "val"), ("test", "test")):
        inside = [{"text": text, "label": domain_of[intent]} for text, intent in splits[key]]
        outside = [{"text": text, "label": "out_of_scope"} for text, _ in splits[f"oos_{key}"]]
        yield f"clinc_{name}.jsonl", inside + outside


def sms() -> Iterator[tuple[str, Iterable[Row]]]:
    """One file: text, and ham or spam."""
    pairs = (line.split("\t", 1) for line in raw_bytes(SMS).decode("utf-8").split("\n") if line.strip())
    yield "sms_spam.jsonl", [{"text": text, "label": label} for label, text in pairs]


# Ekman's emotions and the fine ones below them, as in appendix A of the paper.
EKMAN = {
    "anger": "anger annoyance disapproval",
    "disgust": "disgust",
    "fear": "fear nervousness",
    "joy": "admiration amusement approval caring desire excitement gratitude joy love optimism pride relief",
    "sadness": "disappointment embarrassment grief remorse sadness",
    "surprise": "confusion curiosity realization surprise",
}


def goemotions() -> Iterator[tuple[str, Iterable[Row]]]:
    """Three given splits: text, and its labels, the fine emotions, ekman_… for those above them, or neutral."""
    names = raw_bytes(GOEMOTIONS_LABELS).decode().split()
    above = {fine: f"ekman_{group}" for group, several in EKMAN.items() for fine in several.split()}
    for name, split in (("train", "train"), ("validation", "dev"), ("test", "test")):
        lines = raw_bytes(GOEMOTIONS[split]).decode("utf-8").splitlines()
        rows = []
        for text, numbers, _ in (line.split("\t") for line in lines):
            fine = [names[int(number)] for number in numbers.split(",")]
            rows.append({"text": text, "labels": sorted({*fine, *(above[one] for one in fine if one in above)})})
        yield f"goemotions_{name}.jsonl", rows


def japanese() -> Iterator[tuple[str, Iterable[Row]]]:
    """One file: text, toxic or other, and script: kanji, or kana for texts without any."""
    table = csv.DictReader(io.StringIO(raw_bytes(JAPANESE_TOXIC).decode("utf-8"), newline=""))
    yield (
        "japanese_toxic.jsonl",
        [
            {
                "text": row["text"],
                "label": "toxic" if _votes(row) > int(row["annotation_num"]) / 2 else "other",
                "script": "kanji" if any("\u4e00" <= letter <= "\u9fff" for letter in row["text"]) else "kana",
            }
            for row in table
        ],
    )


def _votes(row: dict[str, str]) -> int:
    return int(row["Toxic"]) + int(row["Very Toxic"])


def emobank() -> Iterator[tuple[str, Iterable[Row]]]:
    """Three given splits: text, and three scores; the one row without text is left out."""
    table = list(csv.DictReader(io.StringIO(raw_bytes(EMOBANK).decode("utf-8"), newline="")))
    scores = {"valence": "V", "arousal": "A", "dominance": "D"}
    for name, split in (("train", "train"), ("validation", "dev"), ("test", "test")):
        yield (
            f"emobank_{name}.jsonl",
            [
                {
                    "text": row["text"],
                    **{score: round((float(row[key]) - 1) / 4 * 10, 3) for score, key in scores.items()},
                }
                for row in table
                if row["split"] == split and row["text"].strip()
            ],
        )


def retina() -> Iterator[tuple[str, dict[str, Any]]]:
    """Three given splits: image, and grade from 0 to 4."""
    arrays = np.load(io.BytesIO(raw_bytes(RETINAMNIST)), allow_pickle=False)
    for name, split in (("train", "train"), ("validation", "val"), ("test", "test")):
        grades = arrays[f"{split}_labels"][:, 0].astype(np.int64)
        yield f"retina_{name}.npz", {"image": arrays[f"{split}_images"], "grade": grades}


SETS: dict[str, Callable[[], Iterator[tuple[str, Any]]]] = {
    "davidson": davidson,
    "clinc": clinc,
    "sms": sms,
    "goemotions": goemotions,
    "japanese": japanese,
    "emobank": emobank,
    "retina": retina,
}


def prepare_set(name: str, folder: Path) -> list[Path]:
    """Write the files of one set; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for file, rows in SETS[name]():
        path = folder / file
        if path.suffix == ".npz":
            np.savez_compressed(path, **rows)
        else:
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        written.append(path)
    return written


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", choices=sorted(SETS))
    parser.add_argument("--output", type=Path, default=Path("data"))
    options = parser.parse_args()
    try:
        for name in options.sets:
            for path in prepare_set(name, options.output):
                print(f"wrote {path}")
    except RarecallError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
