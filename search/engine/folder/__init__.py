"""The folder of a run, and what is damaged in it."""
