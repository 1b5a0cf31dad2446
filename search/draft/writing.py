"""The experiment file of a draft, with a comment on every choice."""

import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError, RunError
from rarecall.search.draft.columns import Choice, choose
from rarecall.search.draft.criteria import Line, criteria_for, validation_share
from rarecall.search.draft.looks import ColumnLook, FileLook, look
from rarecall.search.experiment.schema import experiment_from
from rarecall.search.experiment.yaml_file import on_one_line, parse_yaml
from rarecall.trainables.data.files.options import Tell

# Characters of a token, about, and how long a text may be; most texts fit.
CHARACTERS, LENGTHS, FITTING = 4, (32, 64, 128, 256), 0.95
# Rows from which on epochs of trials take a part of them.
MANY_ROWS, ROWS = 6000, 4000
# Tiers of a score: the highest tenth, and the highest quarter.
TIERS = (("ordinary", 0.0), ("high", 0.75), ("highest", 0.9))


def draft(path: Path, folder: Path, text: Sequence[str] = (), label: Sequence[str] = (), tell: Tell = print) -> str:
    """The experiment file for a data file, as YAML with comments. folder: where it is to be written.

    text, label: columns; what is not given is found out. tell: hears how the file was read where that is not plain.

    Raises:
        InputError: the file cannot be read, or has no columns that could be text and label.
    """
    seen = look(path, tell)
    choice = choose(path, seen, text, label)
    written = "\n".join(_lines(path, folder, seen, choice)) + "\n"
    experiment_from(parse_yaml(written), folder, name="the draft")
    return written


def write_draft(
    path: Path,
    output: Path,
    text: Sequence[str] = (),
    label: Sequence[str] = (),
    *,
    overwrite: bool = False,
    tell: Tell = print,
) -> None:
    """Write `draft` to a file that is not there yet.

    Raises:
        InputError: as `draft`, or the file cannot be written.
        RunError: it is there.
    """
    if output.exists() and not overwrite:
        raise RunError(f"{output}: exists already; --overwrite replaces it, -o names another file")
    written = draft(path, output.parent, text, label, tell)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(written, encoding="utf-8")
    except OSError as error:
        fault = Fault(str(output), "must be a file that can be written", error.strerror or str(error))
        raise InputError(str(output), [fault]) from error


def _lines(path: Path, folder: Path, seen: FileLook, choice: Choice) -> Iterator[str]:
    share = validation_share(choice.counts) if choice.counts else 0.1
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name.split(".")[0]).strip("-.") or "draft"
    yield f"# A first experiment for {path.name}: {seen.rows:,} rows. Look through it, then"
    yield "#   rarecall profile THIS_FILE    what its rows are"
    yield "#   rarecall tune THIS_FILE       the search"
    yield ""
    yield f"name: {on_one_line(name)}"
    yield ""
    yield from _data(path, folder, choice, share)
    yield ""
    yield from _task(seen, choice)
    yield ""
    yield from _model(seen, choice)
    yield ""
    yield from _criteria(choice, share)
    yield ""
    rows = f", rows: {ROWS}" if seen.rows > MANY_ROWS else ""
    if rows:
        yield f"# Epochs of trials take {ROWS:,} rows, others each time; the best trial is trained again on all."
    yield f"search: {{trials: 12{rows}}}"


def _data(path: Path, folder: Path, choice: Choice, share: float) -> Iterator[str]:
    yield "data:"
    yield f"  path: {on_one_line(os.path.relpath(path.resolve(), folder.resolve()))}"
    yield f"  text: {on_one_line(choice.text[0]) if len(choice.text) == 1 else on_one_line(list(choice.text))}"
    if choice.kind != "tiered_scores" and len(choice.label) == 1:
        yield f"  label: {on_one_line(choice.label[0])}"
    if share > 0.1:
        yield f"  # Rare rows are few: {share:.0%} validate and test instead of a tenth."
    yield f"  split: {{validation: {share:g}, test: {share:g}, seed: 42}}"


def _task(seen: FileLook, choice: Choice) -> Iterator[str]:
    if choice.kind == "tiered_scores":
        yield from _scores(seen.columns[choice.label[0]])
        return
    told = ", ".join(f"{name} {count:,}" for name, count in list(choice.counts.items())[:8])
    more = len(choice.counts) - 8
    yield f"# Rows: {told}{f', and {more} more' if more > 0 else ''}."
    if choice.kind == "multilabel":
        labels = f", labels: {on_one_line(list(choice.counts))}"
        yield f"task: {{kind: multilabel{labels}}}"
    elif choice.kind == "ordinal":
        yield f"task: {{kind: ordinal, classes: {on_one_line(sorted(choice.counts, key=int))}}}"
    else:
        yield "# All classes but the largest are the minority; `minority: [..]` names others."
        yield f"task: {{kind: multiclass, classes: {on_one_line(list(choice.counts))}}}"


def _scores(column: ColumnLook) -> Iterator[str]:
    low, high = math.floor(column.lowest), math.ceil(column.highest)
    yield f"# Scores from {column.lowest:g} to {column.highest:g}, cut where the highest quarter and tenth of the range"
    yield "# begin: put the tiers where they mean something to you."
    yield "task:"
    yield "  kind: tiered_scores"
    yield f"  dimensions: {{{on_one_line(column.name)}: {{}}}}"
    yield f"  range: [{low}, {high}]"
    cuts = ", ".join(f"{name}: {low + share * (high - low):g}" for name, share in TIERS)
    yield f"  tiers: {{{cuts}}}"


def _model(seen: FileLook, choice: Choice) -> Iterator[str]:
    characters = sum(seen.columns[name].length(FITTING) for name in choice.text)
    length = next((one for one in LENGTHS if one * CHARACTERS >= characters), LENGTHS[-1])
    told = f"{FITTING:.0%} of the texts have at most {characters:,} characters"
    yield f"# `minilm` needs no download. Of a text, {length} tokens count: {told}."
    yield "# LoRA in the last two layers is quick on a CPU; on a GPU take all: `layers: all`."
    yield "model:"
    yield "  base: minilm"
    yield f"  max_length: {length}"
    yield "  lora: {rank: 16, targets: all_linear, layers: last 2}"
    yield ""
    yield "training:"
    yield "  epochs: 3"
    yield "  batch_size: 32"
    yield "  learning_rate: 2.0e-3"
    yield "  # What decides between labels is chosen on validation rows, and told by rows that it has not seen."
    yield "  decision_rule: {fit: true}"
    yield ""
    yield "# The mitigations that can matter for these labels, around the settings above."
    yield "space: auto"


def _criteria(choice: Choice, share: float) -> Iterator[str]:
    if not choice.counts:
        yield "criteria:"
        yield "  - mae[*] <= 1.5"
        return
    lines = criteria_for(choice.counts, share, several=choice.kind == "multilabel")
    yield "# What must hold. Whether it does is said with an interval, by rows that nobody chose by."
    if any(line.decided for line in lines):
        yield "criteria:"
    for line in sorted(lines, key=lambda one: not one.decided):
        yield from _criterion(line)
    yield ""
    yield "# Among the trials that meet them, this decides."
    yield "objective: minority_f1"


def _criterion(line: Line) -> Iterator[str]:
    mark = "  - " if line.decided else "#  - "
    yield f"{mark}{on_one_line(line.text)}  # {line.why}"
