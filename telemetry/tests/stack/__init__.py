"""What ships to be looked at the product with: held together, as far as it can be without running it."""
