"""Turn public data sets into the tool's input.

    python benchmarks/prepare_data.py davidson clinc sms [--output data]

davidson  Tweets and how many of their annotators saw hate, an offence or neither (Davidson et al. 2017, arXiv
          1703.04009); the shares of votes are scores from 0 to 10.
clinc     Requests to an assistant in ten domains, and some that belong nowhere (Larson et al. 2019, arXiv 1909.02027).
sms       Text messages, ham or spam (Almeida et al. 2011).

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

from raw_data import CLINC, CLINC_DOMAINS, DAVIDSON, SMS, raw_bytes

from analysis.errors import RarecallError

Row = dict[str, Any]


def davidson() -> Iterator[tuple[str, Iterable[Row]]]:
    """One file: text, and the scores hate, offensive and neither."""
    votes = {"hate": "hate_speech", "offensive": "offensive_language", "neither": "neither"}
    table = csv.DictReader(io.StringIO(raw_bytes(DAVIDSON).decode("utf-8"), newline=""))
    rows = [
        {
            "text": row["tweet"],
            **{name: round(10 * int(row[column]) / int(row["count"]), 3) for name, column in votes.items()},
        }
        for row in table
    ]
    yield "davidson_tiers.jsonl", rows


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


SETS: dict[str, Callable[[], Iterator[tuple[str, Iterable[Row]]]]] = {"davidson": davidson, "clinc": clinc, "sms": sms}


def prepare_set(name: str, folder: Path) -> list[Path]:
    """Write the files of one set; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for file, rows in SETS[name]():
        path = folder / file
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
