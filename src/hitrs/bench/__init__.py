"""What things cost: time and memory of training, recognition, import and loading, beside the plain way."""
