"""Before a search: the label profile, and what the search would cost."""
