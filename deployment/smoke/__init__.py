"""Checks of a live deployment that change nothing and need nothing but its URL."""
