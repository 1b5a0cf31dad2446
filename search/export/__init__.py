"""Export: a trial held against its criteria, written, checked, measured and published."""
