"""The octets of a message: its header, what identifies it, its line ends, and the Received field."""
