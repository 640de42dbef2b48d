"""The contract of /predict and what both doors share: settings, storage, the predictor."""
