"""The parts of the page: each module makes one section, or None where there is nothing to tell."""
