"""Fuzzing: what counts as unexpected is defined once, for Hypothesis in the suite and for atheris in `make fuzz`."""
