"""The generated articles: exact tiers, the same bytes everywhere, and neither too easy nor pure noise."""

import hashlib
import json
import re
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.class_weight import compute_sample_weight

from rarecall.trainables.demo import phrases
from rarecall.trainables.demo.articles import generate_articles, tier_counts, write_articles
from rarecall.trainables.demo.domains import DOMAINS, ORGANISATION_HEADS, ORGANISATION_TAILS, PLACES

DIMENSIONS = ("deployment_maturity", "proof_of_impact", "technical_readiness")
WEIGHTS = (0.5, 0.3, 0.2)
CUTS = (4.0, 6.0, 8.0)
ARTICLES = generate_articles()


def score_table(articles):
    return np.array([[article[name] for name in DIMENSIONS] for article in articles])


def tiers_of(articles):
    return np.digitize(score_table(articles) @ WEIGHTS, CUTS)


def templates():
    for levels in (phrases.DEPLOYMENT, phrases.IMPACT, phrases.READINESS):
        for level in levels:
            yield from level
    yield from phrases.BOASTS + phrases.UNDERSTATEMENTS + phrases.NEUTRAL
    yield from phrases.HYPE_TITLES + phrases.PLAIN_TITLES


def test_the_default_file_holds_the_tiers_of_the_real_project():
    assert np.bincount(tiers_of(ARTICLES)).tolist() == [1688, 224, 139, 29]


def test_no_overall_score_lies_on_a_cut_where_rounding_would_decide():
    overall = score_table(ARTICLES) @ WEIGHTS
    assert np.abs(overall[:, None] - np.array(CUTS)).min() > 0.005


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        # 500 · 224/2080 = 53.8, 500 · 139/2080 = 33.4, 500 · 29/2080 = 6.97; the rest is vaporware
        (500, [406, 54, 33, 7]),
        # 4.3, 2.7 and 0.56 of 40
        (40, [32, 4, 3, 1]),
        (4, [1, 1, 1, 1]),
    ],
)
def test_other_counts_keep_the_shares_and_every_tier(count, expected):
    assert tier_counts(count) == expected
    assert np.bincount(tiers_of(generate_articles(count, seed=3))).tolist() == expected


def test_fewer_articles_than_tiers_are_refused():
    with pytest.raises(ValueError, match="at least 4, one article for each tier, got 3"):
        generate_articles(3)


def test_every_article_has_its_fields_and_scores_in_range_with_one_decimal():
    assert {tuple(article) for article in ARTICLES} == {("id", "title", "text", *DIMENSIONS)}
    scores = score_table(ARTICLES)
    assert scores.min() >= 0
    assert scores.max() <= 10
    assert np.array_equal(scores, np.round(scores, 1))


def test_ids_and_texts_are_unique():
    assert len({article["id"] for article in ARTICLES}) == 2080
    assert len({(article["title"], article["text"]) for article in ARTICLES}) == 2080
    # Nor does any wording dominate: names and numbers apart, a first sentence is shared by few.
    openings = Counter(re.sub(r"[A-Z]\w+|\d[\d,]*", "_", article["text"].split(". ")[0]) for article in ARTICLES)
    assert openings.most_common(1)[0][1] < 0.02 * 2080


def test_the_rare_tiers_are_spread_over_the_file():
    places = np.flatnonzero(tiers_of(ARTICLES) == 3) / 2080
    assert places.min() < 0.25
    assert places.max() > 0.75


def test_short_and_long_texts_both_occur_and_say_nothing_about_the_tier():
    words = np.array([len(article["text"].split()) for article in ARTICLES])
    assert np.percentile(words, 5) < 15
    assert np.percentile(words, 95) > 60
    tiers = tiers_of(ARTICLES)
    assert abs(words[tiers == 0].mean() - words[tiers > 0].mean()) < 0.15 * words.mean()


def test_every_template_fills_and_no_gap_is_left():
    known = {"org", "thing", "things", "a_thing", "site", "sites", "users", "burden", "place", "few", "years"}
    known |= {"a_site", "small", "n", "hundreds", "thousands", "pct", "past", "recent", "future"}
    for template in templates():
        slots = set(re.findall(r"\{(\w+)\}", template))
        assert {slot.removesuffix("_cap") for slot in slots} <= known, template
        assert template.count("[") == template.count("]"), template
    for article in ARTICLES:
        assert not set("[]{}|") & set(article["title"] + article["text"])
        assert re.fullmatch(r"[\"A-Z\d].*[.?\"]", article["text"])
        assert article["title"][0].isupper() or article["title"][0].isdigit()


def test_a_and_an_fit_the_word_that_follows():
    text = " ".join(article["text"] for article in ARTICLES)
    assert not re.search(r"\ba [aeio]\w", text)
    assert not re.search(r"\ban [^aeiou\W]", text)


def test_tables_hold_nothing_twice():
    assert len(set(templates())) == len(list(templates()))
    for names in (PLACES, ORGANISATION_HEADS, ORGANISATION_TAILS, [thing for d in DOMAINS for thing in d.things]):
        assert len(set(names)) == len(names)


def test_boastful_words_stand_in_articles_of_every_worth():
    tiers = tiers_of(ARTICLES)
    low = [article["text"].lower() for article, tier in zip(ARTICLES, tiers, strict=True) if tier == 0]
    high = [article["text"].lower() for article, tier in zip(ARTICLES, tiers, strict=True) if tier >= 2]
    for phrase in ("plans to deploy", "is expected to", "a pilot of the demo", "every day", "proven", "customers"):
        assert sum(phrase in text for text in low) >= 5, phrase
    assert sum(bool(re.search("prototype|pilot|trial|shelved|idea", text)) for text in high) >= 0.1 * len(high)


def test_the_file_is_the_same_on_every_machine(tmp_path):
    path = tmp_path / "made" / "articles.jsonl"
    write_articles(path)
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == FILE_SHA256
    assert [json.loads(line) for line in content.decode().splitlines()] == ARTICLES


def test_another_seed_tells_other_stories():
    mine = {article["text"] for article in generate_articles(200, seed=1)}
    assert not mine & {article["text"] for article in generate_articles(200, seed=2)}


def test_words_alone_find_some_of_the_rare_tier_but_far_from_all():
    """TF-IDF and ridge over five splits: the floor that a model which reads has to beat."""
    texts = np.array([f"{article['title']}\n{article['text']}" for article in ARTICLES])
    scores, tiers = score_table(ARTICLES), tiers_of(ARTICLES)
    recalls = {"plain": [], "balanced": []}
    for train, test in StratifiedShuffleSplit(5, test_size=0.2, random_state=0).split(texts, tiers):
        words = TfidfVectorizer(sublinear_tf=True).fit(texts[train])
        for name, found in recalls.items():
            weights = compute_sample_weight("balanced", tiers[train]) if name == "balanced" else None
            model = Ridge(alpha=1.0).fit(words.transform(texts[train]), scores[train], sample_weight=weights)
            predicted = np.digitize(model.predict(words.transform(texts[test])) @ WEIGHTS, CUTS)
            found.append([(predicted[tiers[test] == tier] == tier).mean() for tier in range(4)])
    plain, balanced = (np.mean(found, axis=0) for found in recalls.values())
    assert plain[0] > 0.9
    assert plain[3] < 0.2
    assert 0.15 <= balanced[3] <= 0.6
    assert balanced[1:].mean() > plain[1:].mean()


FILE_SHA256 = "97d5e4fa924cee013150af54525a4639b5023e37323b1795c31890f4d72e46b7"
