"""HTML pages, one module a page."""
