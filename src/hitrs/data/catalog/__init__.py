"""Public data sets and own folders: what their files are, which classes they have and how they are split."""
