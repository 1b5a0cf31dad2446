"""Data: from files to encoded training, validation and test rows."""
