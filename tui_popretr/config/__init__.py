"""The configuration: one XML file in, typed settings and a complete list of problems out."""
