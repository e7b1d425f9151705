"""What the reports say of what was measured: sentences, charts, tables."""
