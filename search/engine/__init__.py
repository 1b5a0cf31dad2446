"""The engine: trials proposed, run in slots, stopped early, and recorded."""
