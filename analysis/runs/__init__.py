"""Runs: the ledger of a search, and what its trials are worth beside each other."""
