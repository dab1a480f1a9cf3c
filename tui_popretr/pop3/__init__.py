"""The client side of POP3 as a pure state machine: commands in and bytes out, bytes in and events out."""
