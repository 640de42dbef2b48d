"""AWS Lambda: instances of one function, their cold starts and their lifetimes."""
