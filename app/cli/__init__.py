"""The commands of ``touchline``; each calls one service."""
