"""The background process: claim, heartbeat, run, finish."""
