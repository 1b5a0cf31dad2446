"""The experiment file: its schema, its search space, and what is wrong with it."""
