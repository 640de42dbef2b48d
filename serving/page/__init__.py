"""The page on which a person tries the service, in one HTML document without anything to load."""
