"""Plugins: modules of a user that register losses, metrics, schemes, samplers and tasks when they are imported."""
