"""Motion prediction: what is observed and what follows, and how far off a prediction is."""
