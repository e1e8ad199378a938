"""The synthetic dataset, and the small checkpoint that ships with Touchline."""
