"""The benchmarks count right. What they measure is no matter here."""
