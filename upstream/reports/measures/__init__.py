"""What the reports measure: the database counts and sums, and what comes back is small."""
