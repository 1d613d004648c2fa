"""The command line: one module per verb, each a plain function whose signature gives the options."""
