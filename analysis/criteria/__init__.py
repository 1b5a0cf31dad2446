"""Criteria: what the user asked for, the verdicts on it, and the order of trials that follows."""
