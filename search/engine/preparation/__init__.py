"""What is made ready before the first trial: data, goals, baselines, points to begin with."""
