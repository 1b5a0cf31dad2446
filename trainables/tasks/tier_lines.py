"""Lines of the plain script in a model card that decide a task with scores, as `TieredScores.predictions` does."""

SCORES = """\
low, high = rule["range"]
scores = (low + {outputs} * (high - low)).clamp(low, high)
weights = outputs.new_tensor(rule["weights"])
"""
OVERALL = """\
overall = (scores @ weights / weights.sum()).round(decimals=rule["overall_decimals"])
"""
TWO_STAGE = """\
top = rule["two_stage"]["rare"] == rule["classes"][-1]
cut, end = (rule["cuts"][-1], high) if top else (rule["cuts"][1], low)
rare = outputs[:, 0].sigmoid() >= rule["two_stage"]["threshold"]
overall = torch.where(rare & (overall < cut if top else overall >= cut), (cut + end) / 2, overall)
"""
KEYWORDS = """\
def bounded(values, dimension):
    for key, kept in (("at_least", torch.clamp_min), ("at_most", torch.clamp_max)):
        for word in rule["keywords"]:
            if word["dimension"] == dimension and word[key] is not None:
                found = torch.tensor([bool(re.search(word["pattern"], text, re.IGNORECASE)) for text in texts])
                values = torch.where(found, kept(values, word[key]), values)
    return values
scores = torch.stack([bounded(values, name) for values, name in zip(scores.T, rule["dimensions"])], dim=1)
"""
BOUNDED_OVERALL = """\
overall = bounded(overall, None)
"""
TIERS = """\
tiers = torch.bucketize(overall, scores.new_tensor(rule["cuts"][1:]), right=True)
"""
GATEKEEPER = """\
gate = rule["gatekeeper"]
closed = scores[:, rule["dimensions"].index(gate["dimension"])] < gate["cut"]
tiers = torch.where(closed, tiers.clamp(max=rule["classes"].index(gate["max_tier"])), tiers)
"""
LABELS = """\
labels = [rule["classes"][i] for i in tiers]"""
READ_TIERS = """\
labels = [None if bad else rule["classes"][i] for i, bad in zip(tiers, unread)]"""


def tier_lines(*, keywords: bool, gatekeeper: bool, stage: str = "", labels: str = LABELS) -> str:
    """From `scores` to `labels`. stage: between the overall score and its bounds."""
    parts = (
        KEYWORDS if keywords else "",
        OVERALL + stage,
        BOUNDED_OVERALL if keywords else "",
        TIERS + (GATEKEEPER if gatekeeper else ""),
        labels,
    )
    return "".join(parts)
