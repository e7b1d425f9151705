"""Whether a move from one `/metrics` page to another is safe: for who reads the families, for dashboards, for rules."""
