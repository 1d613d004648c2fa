"""What things cost: time and memory of training, recognition and the rest, beside the plain way."""
