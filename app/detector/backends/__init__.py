"""The engines: one module for each library, imported only when that engine is chosen."""
