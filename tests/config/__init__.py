"""Tests of the configuration: grammar, values, paths, directory, warnings and samples."""
