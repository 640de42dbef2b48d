"""The worker: answers the messages of an SQS queue where containers run."""
