"""Pictures: charts with axes, and strips in the cells of tables."""
