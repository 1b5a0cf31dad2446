"""The commands of `rarecall`, grouped by what a user is about to do."""
