"""Predictions and ledger rows in; metrics, verdicts and leaderboards out. Needs neither torch nor Ray."""
