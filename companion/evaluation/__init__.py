"""What a model is worth: its samples, its likelihoods, and every measure with its interval and protocol."""
