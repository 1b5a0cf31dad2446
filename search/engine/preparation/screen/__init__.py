"""The screen of a search: what it tries before the first trial, and what it leaves for the trials."""
