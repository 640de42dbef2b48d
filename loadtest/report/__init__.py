"""The report of load tests: one HTML page, and the same figures as Markdown, CSV and JSON."""
