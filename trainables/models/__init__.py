"""Models: base models, their adapters and heads, what of them is frozen, and their checkpoints."""
