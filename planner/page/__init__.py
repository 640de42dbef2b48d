"""A plan as a page, and as Markdown, CSV and JSON."""
