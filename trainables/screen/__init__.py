"""The screen: many mitigations tried on heads over frozen features, stacked in one product, before any fine-tuning."""
