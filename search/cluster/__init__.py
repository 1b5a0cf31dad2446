"""The cluster: Ray started or joined, slots laid out over it, and its end noticed."""
