"""From files to rows: where they are, what their cells hold, and what labels mean."""
