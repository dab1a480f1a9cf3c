"""The control socket: its codec, the server over real sockets, the client, and the file."""
