"""What stays as it is while a model trains, computed once, and heads on it."""
