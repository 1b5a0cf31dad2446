"""What the commands need that look back: diagnose, evaluate and report."""
