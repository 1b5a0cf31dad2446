"""What the terminal shows while something runs, and before it does."""
