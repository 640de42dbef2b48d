"""Comparisons of the planner's predictions with theory and with recordings."""
