"""What a user has without a search: baselines on all training rows, judged as trials are."""
