"""What may be wrong with recordings: measures, and one module for each family of findings."""
