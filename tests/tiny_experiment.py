"""An experiment on generated articles that is searched in seconds."""

DIMENSIONS = {"deployment_maturity": 0.5, "proof_of_impact": 0.3, "technical_readiness": 0.2}
TIERS = {"vaporware": 0, "pilot": 4, "commercial": 6}
TIERED = {
    "name": "tiny",
    "data": {
        "path": "articles.jsonl",
        "text": ["title", "text"],
        "split": {"validation": 0.25, "test": 0.15},
    },
    "task": {
        "kind": "tiered_scores",
        "dimensions": {name: {"weight": weight} for name, weight in DIMENSIONS.items()},
        "tiers": TIERS,
    },
    "model": {"max_length": 16, "lora": {"layers": "last 1"}},
    # In fp32, since exports, which predict in it on CPUs, are compared to five digits.
    "training": {"epochs": 2, "batch_size": 16, "learning_rate": 2e-3, "precision": "fp32"},
    "criteria": ["recall[vaporware] >= 0.5", "mae[*] <= 5"],
    "search": {"trials": 3},
    "resources": {"slots": 1},
}
