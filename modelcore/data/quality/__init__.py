"""What may be wrong with training data: duplicates, benchmark contamination, validation split."""
