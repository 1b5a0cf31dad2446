"""The experiment file, the search over trials, and the command line: all that exists because trials are many."""
