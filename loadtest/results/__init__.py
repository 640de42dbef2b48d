"""From samples to summaries: reading, analysis, statistics."""
