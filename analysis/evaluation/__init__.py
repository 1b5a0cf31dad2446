"""Evaluation: predictions from anywhere, judged alone or compared with others."""
