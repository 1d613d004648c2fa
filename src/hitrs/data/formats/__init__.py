"""One reader per file format: a path goes in, recordings come out."""
