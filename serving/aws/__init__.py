"""The Lambda door: one module per kind of event, and what it logs and measures."""
