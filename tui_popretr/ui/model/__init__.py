"""What the dashboard knows and how it is worded and laid out: pure, without Textual."""
