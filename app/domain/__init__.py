"""What Touchline decides, without I/O."""
