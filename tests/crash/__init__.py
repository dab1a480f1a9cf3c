"""kill -9 of the real program, at every labelled step and at chance moments: nothing is lost, nothing comes twice."""
