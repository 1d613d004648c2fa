"""Video: pictures to poses, by an estimator in a process of its own, or of another package."""
