"""The process itself: its signals, children, descriptors, limits, its terminal and its place in a shell."""
